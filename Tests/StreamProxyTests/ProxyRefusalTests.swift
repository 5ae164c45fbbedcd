import FoundationEssentials
import Synchronization
import Testing
import Threads

@testable import StreamProxy

/// What is refused before anything has started; nothing at the source is changed then.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ProxyRefusalTests {
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

  /// A QEMU that waits there for its migration would take a connection for that.
  @Test func whoeverListensOnTheSocketIsNotConnectedTo() async throws {
    let scene = try Scene()
    // The kernel's list of sockets does not fit into one read(2) then.
    let others = try (0..<200).map {
      try Listener(.unix(path: "\(scene.folder)/other\($0)"), receiveBuffer: 4096)
    }
    defer { withExtendedLifetime(others) {} }
    let other = try Listener(scene.options.listen, receiveBuffer: 4096)
    let visits = Mutex(0)
    let waiting = BlockingThread("other") {
      while (try? other.accept()) != nil { visits.withLock { $0 += 1 } }
    }
    #expect(await refusal(scene) != nil)
    // One that had been made would have been taken by then: it is in the queue when connect(2) returns.
    try await Task.sleep(for: .milliseconds(100))
    other.cancel()
    #expect(await onThread { waiting.join() })
    #expect(visits.withLock { $0 } == 0)
  }

  /// The kernel's list has the names by which programs bound their sockets.
  @Test func whoeverListensThereByAnotherNameIsNotConnectedToEither() async throws {
    let scene = try Scene()
    let link = scene.folder + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: scene.folder)
    let listener = try Listener(scene.options.listen, receiveBuffer: 4096)
    #expect(UnixSocketList.hasListener(at: "\(link)/src"))
    #expect(UnixSocketList.hasListener(at: "\(scene.folder)//src"))
    #expect(!UnixSocketList.hasListener(at: "\(scene.folder)/source"))
    withExtendedLifetime(listener) {}
  }

  @Test func whatWasTurnedOnIsTurnedOffAgainWhereTheProxyCannotBegin() async throws {
    let scene = try Scene()
    scene.qmp.state.withLock { $0.otherParameters = #","multifd-channels":"many""# }
    #expect(await refusal(scene)?.contains("query-migrate-parameters") == true)
    #expect(scene.qmp.state.withLock { $0.settings } == ["events=true", "events=false"])
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
