/// How long one step took, for whoever wants to know where the time went.
public struct StepTime: Equatable, Sendable {
  public var step: String
  public var nanoseconds: UInt64

  public init(step: String, nanoseconds: UInt64) {
    self.step = step
    self.nanoseconds = nanoseconds
  }

  /// The most bytes that the steps of one message take; later ones are left out.
  private static let listLimit = 32 * 1024

  static func write(_ steps: [StepTime], to payload: inout PayloadWriter) {
    payload.put(list: steps, within: StepTime.listLimit) {
      $0.put($1.step, limit: 128)
      $0.put($1.nanoseconds)
    }
  }

  static func read(from payload: inout PayloadReader) throws(MessageError) -> [StepTime] {
    try payload.list("steps", minimumSize: 12) { reader throws(MessageError) in
      StepTime(
        step: try reader.text("step", limit: 128), nanoseconds: try reader.integer("nanoseconds"))
    }
  }
}
