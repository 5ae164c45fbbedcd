import FoundationEssentials
import Glibc
import Threads

/// The unix socket that takes an operator's requests, one for each connection. Whatever comes there,
/// the migration goes on.
final class OperatorSocket: Sendable {
  /// How long a connection may take to make its request.
  private static let patience = Duration.seconds(5)
  static let longestLine = 1024

  private let listener: Listener
  private let served = Guarded(0)

  /// - Throws: ``SystemError``; the socket's file is its owner's only (mode 0600).
  init(at address: SocketAddress) throws(SystemError) {
    listener = try Listener(address, receiveBuffer: 4096, ownerOnly: true)
  }

  /// Answers each request with what `body` makes of it, a JSON object, on a thread of its own.
  ///
  /// - Returns: false where no thread is to be had.
  func serve(
    _ body: @escaping @Sendable (OperatorRequest) throws(OperatorError) -> any Encodable
  ) -> Bool {
    let thread = BlockingThread.makeIfPossible("operator") { [self] in
      while true {
        do throws(SystemError) {
          guard let connection = try listener.accept() else { return }
          served.update { $0 += 1 }
          let thread = BlockingThread.makeIfPossible("request") { [self] in
            answer(connection, body)
            served.update { $0 -= 1 }
          }
          if thread == nil { served.update { $0 -= 1 } }
        } catch {
          // Out of descriptors, for instance, which may pass.
          usleep(100_000)
        }
      }
    }
    return thread != nil
  }

  /// Takes no more requests, and gives those that are being answered a second.
  func close() {
    listener.cancel()
    _ = served.wait(until: .now + .seconds(1)) { $0 == 0 ? true : nil }
  }

  private func answer(
    _ connection: Socket,
    _ body: (OperatorRequest) throws(OperatorError) -> any Encodable
  ) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    let reply: Data?
    do throws(OperatorError) {
      let line = try OperatorSocket.readLine(from: connection, for: OperatorSocket.patience)
      let result = try body(try OperatorRequest(line: line))
      reply = try? encoder.encode(result)
    } catch {
      reply = try? encoder.encode(["error": error.description])
    }
    // Whoever has gone needs no answer; a reply fits into the socket's buffer.
    try? connection.writeAll(Array(reply ?? Data()) + [UInt8(ascii: "\n")])
    connection.shutDown()
  }

  /// Reads up to the first end of line, or to the end of what the peer sends.
  static func readLine(
    from connection: Socket, for time: Duration, limit: Int = longestLine
  ) throws(OperatorError) -> String {
    let deadline = ContinuousClock.now + time
    var bytes: [UInt8] = []
    while !bytes.contains(UInt8(ascii: "\n")) {
      guard bytes.count < limit else {
        throw OperatorError("the line is longer than \(limit) bytes")
      }
      let left = ContinuousClock.now.duration(to: deadline)
      guard waitReadable(connection.descriptor, or: nil, for: max(left, .zero)) == .ready else {
        throw OperatorError("nothing came within \(time.formattedSeconds)")
      }
      let start = bytes.count
      bytes.append(contentsOf: repeatElement(0, count: limit - start))
      let count = (try? connection.read(into: &bytes, from: start)) ?? 0
      bytes.removeLast(limit - start - count)
      if count == 0 { break }
    }
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    return String(decoding: line, as: UTF8.self)
  }
}

/// The other end: `leafcutter control`.
public enum OperatorClient {
  /// Makes a request and returns the answer, one JSON object without its end of line.
  ///
  /// - Parameter time: how long the proxy may take; a retarget waits for it to learn that the old
  ///   connections broke.
  /// - Throws: ``SystemError`` where nobody takes or answers it, ``OperatorError`` where it is not obeyed.
  public static func ask(
    _ request: OperatorRequest, at address: SocketAddress, within time: Duration = .seconds(30)
  ) throws -> String {
    let connection = try Socket.connect(to: address, within: time, blocks: true)
    try connection.writeAll(Array("\(request.line)\n".utf8))
    let answer: String
    do throws(OperatorError) {
      answer = try OperatorSocket.readLine(from: connection, for: time, limit: 64 * 1024)
    } catch {
      throw SystemError("hear from the proxy at \(address)", because: error.description)
    }
    guard !answer.isEmpty else {
      throw SystemError("hear from the proxy at \(address)", because: "it ended without an answer")
    }
    if let refused = try? JSONDecoder().decode([String: String].self, from: Data(answer.utf8)),
      let sentence = refused["error"]
    {
      throw OperatorError(sentence)
    }
    return answer
  }
}
