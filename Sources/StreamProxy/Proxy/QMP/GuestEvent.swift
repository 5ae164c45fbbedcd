/// A QMP event that tells something about the guest's running or its migration.
///
/// QEMU writes events to every QMP socket from the thread that raises them, at once and in order
/// (`monitor/monitor.c`). All of these are never throttled except ``portChange(id:isOpen:)``
/// (VSERPORT_CHANGE), which is limited to one a second and port, and is not ordered before STOP
/// either: it is a hint, never a proof.
public enum GuestEvent: Equatable, Sendable {
  case stop
  case resume
  case reset
  /// The guest went to sleep (S3): its processors stand still without a STOP.
  case suspend
  case wakeup
  /// MIGRATION: `status` is QAPI's MigrationStatus, e.g. `active`, `device`, `completed`.
  case migration(status: String)
  /// VSERPORT_CHANGE: the guest opened or closed the virtio-serial port whose `-device` has `id`.
  case portChange(id: String, isOpen: Bool)

  /// The members of `data` that matter here; others, and other types of the same name, are ignored.
  struct Data: Decodable {
    var status: String?
    var id: String?
    var open: Bool?

    private enum Key: String, CodingKey { case status, id, open }

    init(from decoder: any Decoder) throws {
      let object = try decoder.container(keyedBy: Key.self)
      status = try? object.decode(String.self, forKey: .status)
      id = try? object.decode(String.self, forKey: .id)
      open = try? object.decode(Bool.self, forKey: .open)
    }
  }

  /// nil for an event that tells nothing about running or migration.
  init?(name: String, data: Data?) {
    switch name {
    case "STOP": self = .stop
    case "RESUME": self = .resume
    case "RESET": self = .reset
    case "SUSPEND", "SUSPEND_DISK": self = .suspend
    case "WAKEUP": self = .wakeup
    case "MIGRATION":
      guard let status = data?.status else { return nil }
      self = .migration(status: status)
    case "VSERPORT_CHANGE":
      guard let id = data?.id, let isOpen = data?.open else { return nil }
      self = .portChange(id: id, isOpen: isOpen)
    default: return nil
    }
  }
}
