extension Array {
  /// The same elements in the same order, begun with another one.
  func rotated(by count: Int) -> [Element] {
    guard !isEmpty else { return self }
    let first = count % self.count
    return Array(self[first...] + self[..<first])
  }
}
