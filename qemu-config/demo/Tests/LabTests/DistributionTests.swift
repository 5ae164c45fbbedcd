import Testing

@testable import Lab

@Suite("How values lie")
struct DistributionTests {
  @Test("ranks are those of values that were measured, whatever their number and order")
  func ranks() throws {
    let ten = try #require(Distribution((1...10).reversed().map { Double($0) }))
    #expect(ten.least == 1 && ten.most == 10)
    #expect(ten.median == 5.5)
    #expect(ten.ninetieth == 9)
    #expect(try #require(Distribution([7])).ninetieth == 7)
    #expect(try #require(Distribution((1...11).map { Double($0) })).ninetieth == 10)
    #expect(Distribution([]) == nil)
  }

  @Test("a downtime that is the limit is within it")
  func limit() throws {
    let values = try #require(Distribution([299, 300, 300.5]))
    #expect(values.count(within: 300) == 2)
    #expect(values.count(from: 299, to: 300) == 1)
  }
}
