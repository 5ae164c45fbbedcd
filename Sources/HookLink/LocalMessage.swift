/// What travels inside the guest, over the guardian's unix stream socket (``defaultSocket``).
///
/// A database's extension connects and says ``Register``; the guardian learns its pid from
/// SO_PEERCRED and never from a message. `leafcutter-guest status|save|load` are clients too. The
/// keeper has a socket pair of its own. Requests that belong to a migration carry its identity in
/// the frame.
///
///     guardian                     database
///        │  ◄──────── register ────────│
///        │ ── prepare (+ mark memfd) ─►│   evict, hold, pin
///        │  ◄─ progress … ─────────────│
///        │  ◄──────── held ────────────│   where the frames are
///        │  ◄──────── prepared ────────│
///        │ ───── release pieces … ────►│   where memory is tight: unpin, unmap a part
///        │ ───────── release ─────────►│   unpin, unmap
///        │  ◄──────── released ────────│
///        │ ───────── resume ──────────►│   cache_size back, refault
///        │  ◄──────── resumed ─────────│
///
/// Any request can be answered by ``Failed``; the database goes on in every case.
public enum LocalMessage: Equatable, Sendable {
  case register(Register)
  case prepare(PrepareDatabase)
  case held(HeldMemory)
  case prepared(Prepared)
  case release(Release)
  case releasePieces(ReleasePieces)
  case released(Released)
  case resume(Resume)
  case resumed(DatabaseResumed)
  case save(SaveManifest)
  case load(LoadManifest)
  case progress(GuestMessage.Progress)
  case failed(Failed)
  case statusRequest(StatusRequest)
  case status(Status)
  case databasesRequest(DatabasesRequest)
  case databases(Databases)
  case keep(Keep)
  case letGo(LetGo)

  /// No database has more leaves; so the sum of what all of them say is a number.
  public static let maximumLeaves: UInt64 = 1 << 48

  public static let defaultSocket = "/run/leafcutter/guardian.sock"

  public init(_ frame: Frame) throws(MessageError) {
    self =
      switch frame.type {
      case Register.code: .register(try Register.read(frame))
      case PrepareDatabase.code: .prepare(try PrepareDatabase.read(frame))
      case HeldMemory.code: .held(try HeldMemory.read(frame))
      case Prepared.code: .prepared(try Prepared.read(frame))
      case Release.code: .release(try Release.read(frame))
      case ReleasePieces.code: .releasePieces(try ReleasePieces.read(frame))
      case Released.code: .released(try Released.read(frame))
      case Resume.code: .resume(try Resume.read(frame))
      case DatabaseResumed.code: .resumed(try DatabaseResumed.read(frame))
      case SaveManifest.code: .save(try SaveManifest.read(frame))
      case LoadManifest.code: .load(try LoadManifest.read(frame))
      case GuestMessage.Progress.code: .progress(try GuestMessage.Progress.read(frame))
      case Failed.code: .failed(try Failed.read(frame))
      case StatusRequest.code: .statusRequest(try StatusRequest.read(frame))
      case Status.code: .status(try Status.read(frame))
      case DatabasesRequest.code: .databasesRequest(try DatabasesRequest.read(frame))
      case Databases.code: .databases(try Databases.read(frame))
      case Keep.code: .keep(try Keep.read(frame))
      case LetGo.code: .letGo(try LetGo.read(frame))
      default: throw .unknownType(frame.type)
      }
  }
}
