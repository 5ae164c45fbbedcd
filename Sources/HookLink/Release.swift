/// The release of Leafcutter's programs. Both ends of a link have to speak the same version of the
/// protocol (``Frame/protocolVersion``), which one release's do.
public let leafcutterVersion = "0.1.0"
