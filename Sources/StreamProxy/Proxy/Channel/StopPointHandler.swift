import PageFilter

/// Who decides at the editor's stop points; called on the main channel's thread, which may block.
protocol StopPointHandler {
  mutating func reached(
    _ stop: StreamEditor.StopPoint, _ editor: inout StreamEditor
  ) throws(ChannelFailure)
  /// After every write; `editor` may have seen copies of the mark page.
  mutating func moved(_ editor: inout StreamEditor) throws(ChannelFailure)
}

/// The stop points of a preempt channel, which has none.
struct NothingToDecide: StopPointHandler {
  mutating func reached(_ stop: StreamEditor.StopPoint, _ editor: inout StreamEditor) {}
  mutating func moved(_ editor: inout StreamEditor) {}
}
