import Lab

/// A virtual machine, and the store in it.
struct Guest {
  let machine: VirtualMachine
  let store: StoreConsole

  /// The figures of an answer as numbers.
  struct Figures {
    let question: String
    let answer: StoreConsole.Answer
    subscript(_ name: String) -> Int {
      get throws(LabError) {
        guard let number = answer[name].flatMap({ Int($0) }) else {
          throw LabError("the store's answer to \(question) has no \(name)")
        }
        return number
      }
    }
  }

  func ask(_ command: String, timeout: Double = 30) throws(LabError) -> Figures {
    Figures(question: command, answer: try store.ask(command, timeout: timeout))
  }

  /// Asks until an answer comes: what is sent while the store starts is lost.
  func waitUntilItServes(timeout: Double) throws(LabError) {
    let serves: Bool? = HostClock.poll(every: 0.2, for: timeout) {
      (try? store.ask("ping", timeout: 2)) == nil ? nil : true
    }
    guard serves != nil else {
      throw machine.error("the store does not serve after \(Int(timeout)) s")
    }
  }

  /// What tells a guest that has run on from one that has booted again, and a store from its successor.
  func identity() throws(LabError) -> Identity {
    // Asked again, because a store that has just ended does not answer.
    let info: StoreConsole.Answer? = HostClock.poll(every: 0.2, for: Bench.patience) {
      try? store.ask("info", timeout: 5)
    }
    guard let answer = info else { throw machine.error("the store does not answer info") }
    guard let boot = answer["boot"], let process = answer["process"] else {
      throw machine.error("the store does not say which it is")
    }
    return Identity(boot: boot, process: process)
  }

  struct Identity: Equatable {
    var boot: String
    var process: String
  }
}
