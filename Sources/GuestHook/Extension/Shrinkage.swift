/// Whether what is looked at again and again still gets less.
struct Shrinkage {
  private(set) var least = UInt64.max
  private(set) var looksSinceLeast = 0

  mutating func look(at amount: UInt64) {
    looksSinceLeast = amount < least ? 0 : looksSinceLeast + 1
    least = min(least, amount)
  }
}
