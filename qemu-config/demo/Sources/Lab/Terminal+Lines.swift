import StreamProxy

extension Terminal {
  /// One line on standard error.
  public static func complain(_ text: String) { write(text + "\n") }
}
