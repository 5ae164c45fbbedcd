/// The rules that keep pages from being lost, so that a test can switch one of them off and see that
/// pages are lost without it.
///
/// In a release build they are constants, and in a debug build only this module and its tests can
/// reach them: no option, variable or message does.
struct SafetyRules: Sendable {
  #if DEBUG
    /// A REVOKE is acknowledged when its pages are out of the dead pages, and not before.
    var clearsBeforeAcknowledging = true
    /// The judge wants QEMU's events up to the guest's STOP, not those that have come so far.
    var hearsEventsUpToStop = true
    /// Of the mark page's copies the last one decides, not the first.
    var lastCopyDecides = true
    /// Post-copy's point of no return is passed only while the guest's lease runs.
    var wantsLease = true
  #else
    let clearsBeforeAcknowledging = true
    let hearsEventsUpToStop = true
    let lastCopyDecides = true
    let wantsLease = true
  #endif
}
