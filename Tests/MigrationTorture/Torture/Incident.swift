/// What must not happen, as a round has seen it.
enum Incident: Error, Equatable, CustomStringConvertible {
  case hang(String)
  case guestLost(String)
  case badDocuments(Int)
  case corruptedPages(Int)
  case needlessFailure(String)

  var description: String {
    switch self {
    case .hang(let what): "HANG: \(what)"
    case .guestLost(let what): "GUEST LOST: \(what)"
    case .badDocuments(let count): "\(count) BAD DOCUMENTS"
    case .corruptedPages(let count): "\(count) CORRUPTED PAGES"
    case .needlessFailure(let why): "NEEDLESS FAILURE: \(why)"
    }
  }
}

extension Tally {
  mutating func add(_ incident: Incident) {
    switch incident {
    case .hang: hangs += 1
    case .guestLost: guestsLost += 1
    case .badDocuments(let count): badDocuments += count
    case .corruptedPages(let count): corruptedPages += count
    case .needlessFailure: needlessFailures += 1
    }
  }
}
