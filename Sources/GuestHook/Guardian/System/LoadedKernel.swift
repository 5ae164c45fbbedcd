/// Whether a kernel is loaded that kexec(8) would start in place of this one.
///
/// It would write over any memory that is not its own, held frames too, while the mark page in memory still
/// says HOLDING: nobody is told, no process ends first (`kexec -f`), and QEMU reports no reset. So nothing is
/// held where one is loaded. A kernel for a crash (kdump) is another matter: it lives in memory that was set
/// aside for it.
struct LoadedKernel {
  /// "1" where one is loaded (Documentation/ABI/testing/sysfs-kernel-kexec-kdump); missing where the kernel
  /// knows no kexec.
  static let path = "/sys/kernel/kexec_loaded"

  private let file: Descriptor?

  init(path: String = LoadedKernel.path) { file = try? Descriptor(opening: path) }

  var isThere: Bool { file.flatMap { SmallFile.read($0) }?.hasPrefix("1") ?? false }

  /// Why nothing is held.
  static let reason = "another kernel is loaded (kexec), which would use memory that is held"
}
