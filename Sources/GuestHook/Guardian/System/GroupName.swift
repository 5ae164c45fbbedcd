/// A group, given by its number or by its name in /etc/group (group(5)). The program is linked statically, so a
/// group that only a directory service knows has to be given by its number.
public struct GroupName: Sendable {
  public var number: UInt32

  /// nil where /etc/group has no group of that name.
  public init?(_ text: String) {
    self.init(text, groups: SmallFile.read("/etc/group") ?? "")
  }

  init?(_ text: String, groups: String) {
    if let number = UInt32(text) {
      self.number = number
      return
    }
    let lines = groups.split(separator: "\n").map {
      $0.split(separator: ":", omittingEmptySubsequences: false)
    }
    guard let line = lines.first(where: { $0.count >= 3 && $0[0] == text }),
      let number = UInt32(line[2])
    else { return nil }
    self.number = number
  }
}
