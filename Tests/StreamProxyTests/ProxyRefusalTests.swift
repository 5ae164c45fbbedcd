import Testing

@testable import StreamProxy

/// What is refused before anything has started; nothing at the source is changed then.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProxyRefusalTests {
  private func refusal(_ scene: Scene) async -> String? {
    await onThread {
      do {
        _ = try scene.makeProxy()
        return nil
      } catch {
        return "\(error)"
      }
    }
  }

  @Test func aQMPSocketThatNobodyServesIsNamed() async throws {
    let scene = try Scene(set: { $0.qmp = .unix(path: "/nonexistent/qmp") })
    #expect(
      await refusal(scene)?.contains("cannot connect to the QMP socket unix:/nonexistent/qmp")
        == true)
  }

  @Test func aQMPSocketThatNeverGreetsIsHeldBySomebodyElse() async throws {
    let silent = SocketAddress.unix(path: "/tmp/leafcutter-silent-\(UInt32.random(in: 0...(.max)))")
    let server = try FakeQMP(at: silent, fixture: .i440fx5G, greets: false)
    let scene = try Scene(set: { $0.qmp = silent })
    let reason = await refusal(scene)
    #expect(reason?.contains("another client holds it") == true)
    server.close()
  }

  @Test func aHookSocketThatNobodyServesIsNamed() async throws {
    let scene = try Scene(set: { $0.hook = .unix(path: "/nonexistent/hook") })
    #expect(await refusal(scene)?.contains("connect to unix:/nonexistent/hook") == true)
    #expect(scene.qmp.state.withLock { $0.settings }.isEmpty)
  }

  @Test func anAddressInUseIsNamed() async throws {
    let scene = try Scene()
    let other = try Listener(scene.options.listen, receiveBuffer: 4096)
    let reason = await refusal(scene)
    #expect(reason?.contains("Address already in use") == true)
    #expect(reason?.contains(other.address.description) == true)
    #expect(scene.qmp.state.withLock { $0.settings }.isEmpty)
  }

  @Test func aTCPPortInUseIsNamed() async throws {
    var taken: Listener?
    var port = 20_000
    while taken == nil, port < 60_000 {
      port += 37
      taken = try? Listener(.tcp(host: "127.0.0.1", port: "\(port)"), receiveBuffer: 4096)
    }
    let address = try #require(taken).address
    let scene = try Scene(set: { $0.listen = address })
    #expect(await refusal(scene)?.contains("listen on \(address): Address already in use") == true)
  }

  @Test func aSocketFileThatAKilledProxyLeftIsTakenOver() async throws {
    let scene = try Scene()
    guard case .unix(let path) = scene.options.listen else { return }
    // Bound, and closed without unlinking, as a killed process leaves it.
    #expect(leaveSocketFile(at: path))
    #expect(await refusal(scene) == nil)
  }
}
