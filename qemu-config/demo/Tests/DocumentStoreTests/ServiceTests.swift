import Glibc
import Testing

@testable import DocumentStore

/// The control protocol against a real, small database.
@Suite(.serialized) struct ServiceTests {
  private let directory = TemporaryDirectory()
  private let options = DatabaseOptions(cacheMiB: 32)
  private var home: String { "\(directory.path)/db" }
  private var socket: String { "\(directory.path)/port" }
  private let shape = CollectionShape(documents: 3000, documentBytes: 1000, seed: 5)

  private func load(_ shape: CollectionShape? = nil) throws {
    try HomeDirectory.makeEmpty(home)
    var creating = options
    creating.creates = true
    let database = try Database(home, creating)
    try Loader.load(database, shape ?? self.shape)
    try database.close()
  }

  @Test func aSessionFromWarmToCloseServesWithoutErrors() throws {
    try load()
    let store = try Store(try Database(home, options))
    #expect(store.shape == shape)
    let port = try ControlPort(.unix(socket))
    let server = try ControlServer(store, options, port: port, checkpointSeconds: 0.2)
    let ending = Collected<ControlServer.Ending?>()
    let serving = RunningThread("serve") { ending.add(0, try? server.serve()) }
    let host = try HostSide(socket)
    #expect(host.ask("ping") == "ok ping")
    let info = host.ask("info") ?? ""
    #expect(info.hasPrefix("ok info documents=3000 cache_bytes=33554432 "))
    // 36 characters tell this boot from every other.
    #expect(info.wholeMatch(of: /.* boot=[0-9a-f-]{36} process=\d+/) != nil)
    #expect(host.ask("warm")?.hasPrefix("ok warm documents=3000 index_entries=3000 ") == true)
    #expect(host.ask("run mix=A rate=2000 threads=2 seed=1") == "ok run")
    #expect(host.ask("run mix=A rate=2000 threads=2 seed=1")?.hasPrefix("error run ") == true)
    host.readLines(for: 600)
    #expect(host.ask("verify")?.hasPrefix("ok verify documents=3000 bad=0 ") == true)
    let sums = host.ask("halt") ?? ""
    #expect(sums.contains(" errors=0 "))
    let operations = host.operations.reduce(0) { $0 + $1.reads + $1.writes }
    #expect(operations > 600)
    #expect(host.beats > 60)
    #expect(host.ask("close") == "ok close tables=2 failed=0")
    serving.join()
    #expect(ending.inOrder == [.closed(failedTables: 0)])
  }

  @Test func aHostMayLeaveAndAnotherComeAndASignalClosesCleanly() throws {
    try load()
    let store = try Store(try Database(home, options))
    let port = try ControlPort(.unix(socket))
    let server = try ControlServer(store, options, port: port, checkpointSeconds: 5)
    let ending = Collected<ControlServer.Ending?>()
    let serving = RunningThread("serve") { ending.add(0, try? server.serve()) }
    do {
      let host = try HostSide(socket)
      #expect(host.ask("ping") == "ok ping")
      host.write("inf")
    }
    let host = try HostSide(socket)
    #expect(host.ask("ping") == "ok ping")
    server.interrupt()
    serving.join()
    #expect(ending.inOrder == [.interrupted])
    #expect(try TableCheck(home: home, options).run() == .init(tables: 2, failed: 0))
  }

  @Test func verificationFindsDamagedMissingAndMisplacedRecords() throws {
    try load()
    let store = try Store(try Database(home, options))
    let session = try store.database.openSession()
    let collection = try session.openCursor(Collection.collectionURI)
    let index = try session.openCursor(Collection.indexURI)
    // One document with a flipped bit, one with another's content, one lost, one index entry astray.
    var document = DocumentWriter(shape).withDocument(recordID: 10, version: 0) { bytes in
      unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }
    document[500] ^= 1
    // Bytes of an array are initialised bytes.
    try unsafe collection.insert(id: 10, document.span.bytes)
    let others = CollectionShape(documents: 3000, documentBytes: 1000, seed: 6)
    try DocumentWriter(others).withDocument(recordID: 11, version: 0) {
      bytes throws(DatabaseError) in try collection.insert(id: 11, bytes)
    }
    try collection.remove(id: 12)
    try index.insert(key: UserKey(recordID: 13), id: 14)
    try session.close()
    let verifier = Verifier(store, threads: 2, faults: FaultLog(), stop: StopFlag())
    let result = try verifier.verify()
    #expect(result.documents == 2999 && result.indexEntries == 3000)
    // The astray entry is wrong itself and missing where it belongs.
    #expect(result.bad == 5)
    try store.database.close()
  }

  @Test func aLostUpdateIsNoticedThoughItsDocumentIsIntact() throws {
    try load()
    let store = try Store(try Database(home, options))
    let client = try Client(store)
    try client.update(20)
    try client.read(20)
    store.ledger.committed(20, 2)
    #expect(throws: OperationFault.document(.lostUpdate)) { try client.read(20) }
    client.close()
    try store.database.close()
  }

  @Test func clientsThatUpdateOneDocumentAtOnceLoseNoUpdateAndAccuseNobody() throws {
    try load()
    let store = try Store(try Database(home, options))
    let (threads, updates) = (4, 2000)
    let faults = inParallel("client", threads) { _ -> OperationFault? in
      do throws(DatabaseError) {
        let client = try Client(store)
        defer { client.close() }
        do throws(OperationFault) {
          for _ in 0..<updates { try client.update(20) }
          return nil
        } catch {
          return error
        }
      } catch {
        return .database(error)
      }
    }
    #expect(faults.allSatisfy { $0 == nil }, "\(faults)")
    #expect(store.ledger.atLeast(20) == Int64(threads * updates))
    try store.database.close()
  }

  @Test func theEnvironmentsExtensionsDoNotPushSnappyOut() throws {
    try load()
    // Only these tests open databases, one after the other.
    unsafe setenv("WIREDTIGER_CONFIG", "cache_size=40MB,extensions=[]", 1)
    defer { unsafe unsetenv("WIREDTIGER_CONFIG") }
    let store = try Store(try Database(home, options))
    #expect(try store.cache().limit == 40 << 20)
    #expect(try Warmer(store, stop: StopFlag()).warm(files: false).documents == 3000)
    try store.database.close()
  }

  @Test func aCacheThatIsMadeSmallHoldsNoMoreThanThat() throws {
    try load(CollectionShape(documents: 25_000, documentBytes: 1000, seed: 7))
    let store = try Store(try Database(home, options))
    _ = try Warmer(store, stop: StopFlag()).warm(files: false)
    #expect(try store.cache().used > 20 << 20)
    #expect(try store.setCache(mebibytes: 16).used <= 16 << 20)
    #expect(try store.setCache(mebibytes: 48).limit == 48 << 20)
    let verifier = Verifier(store, threads: 2, faults: FaultLog(), stop: StopFlag())
    #expect(try verifier.verify().bad == 0)
    try store.database.close()
  }
}
