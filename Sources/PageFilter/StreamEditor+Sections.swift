// Preamble, sections, commands and footers: `migration/savevm.c`.

extension StreamEditor {
  mutating func readPreamble(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    guard input.byteCount - position >= 8 else { return .needsInput }
    let magic = input.bigEndian(UInt32.self, at: position)
    guard magic == StreamFormat.magic else {
      // A recovery stream begins with a command (RECV_BITMAP or POSTCOPY_RESUME) and no magic.
      let first = input.bigEndian(UInt8.self, at: position)
      throw first == StreamFormat.Element.command ? .postcopyRecovery : .notAMigrationStream
    }
    let version = input.bigEndian(UInt32.self, at: position + 4)
    guard version == StreamFormat.version else { throw .unsupportedVersion(version) }
    take(8, &position, &edits)
    state = .configuration
    return .done
  }

  mutating func readConfiguration(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 1 else { return .needsInput }
    guard input.bigEndian(UInt8.self, at: position) == StreamFormat.Element.configuration else {
      state = .element
      return .done
    }
    guard available >= 5 else { return .needsInput }
    let length = Int(input.bigEndian(UInt32.self, at: position + 1))
    guard length <= 1024 else { throw .malformed("the machine type's name") }
    guard available >= 5 + length else { return .needsInput }
    machine = input.text(position + 5..<position + 5 + length)
    take(5 + length, &position, &edits)
    state = .configurationSubsections
    return .done
  }

  /// One subsection of the configuration (`savevm.c:vmstate_configuration`), or what follows them.
  mutating func readConfigurationSubsection(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 1 else { return .needsInput }
    guard input.bigEndian(UInt8.self, at: position) == StreamFormat.Element.subsection else {
      state = .element
      return .done
    }
    guard available >= 2 else { return .needsInput }
    let nameLength = Int(input.bigEndian(UInt8.self, at: position + 1))
    let body = position + 2 + nameLength + 4
    guard input.byteCount >= body + 4 else { return .needsInput }
    let name = input.text(position + 2..<position + 2 + nameLength)
    switch name {
    case "configuration/target-page-bits":
      let bits = input.bigEndian(UInt32.self, at: body)
      guard (10...16).contains(bits) else { throw .malformed("the target page size") }
      targetPageBits = UInt64(bits)
      assumesPageSize = false
      take(body + 4 - position, &position, &edits)
    case "configuration/uuid":
      guard input.byteCount >= body + 16 else { return .needsInput }
      take(body + 16 - position, &position, &edits)
    case "configuration/capabilities":
      var end = body + 4
      let count = input.bigEndian(UInt32.self, at: body)
      guard count <= 256 else { throw .malformed("the list of capabilities") }
      for _ in 0..<count {
        guard input.byteCount > end else { return .needsInput }
        let length = Int(input.bigEndian(UInt8.self, at: end))
        guard input.byteCount >= end + 1 + length else { return .needsInput }
        switch input.text(end + 1..<end + 1 + length) {
        case "x-ignore-shared": ignoresShared = true
        case "mapped-ram": throw .mappedRAM
        default: break
        }
        end += 1 + length
      }
      take(end - position, &position, &edits)
    default:
      throw .unknownConfiguration(name)
    }
    return .done
  }

  mutating func readElement(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    guard input.byteCount > position else { return .needsInput }
    let type = input.bigEndian(UInt8.self, at: position)
    let offset = counters.bytesIn + UInt64(position)
    if elementStart == nil { counters.preambleBytes = offset }
    elementStart = offset
    switch type {
    case StreamFormat.Element.start, StreamFormat.Element.full:
      return try readSectionStart(input, &position, &edits, full: type == StreamFormat.Element.full)
    case StreamFormat.Element.part, StreamFormat.Element.end:
      return try readSectionPart(input, &position, &edits, end: type == StreamFormat.Element.end)
    case StreamFormat.Element.command:
      return try readCommand(input, &position, &edits)
    case StreamFormat.Element.endOfFile:
      // A destination runs from here on; without RAM's END nobody has judged what was dropped.
      guard counters.ramEnded || passedSwitchover else { throw .endBeforeRAM }
      // What follows is a description of the device states, or nothing.
      state = .raw
      return .done
    default:
      throw .unknownElement(type)
    }
  }

  private mutating func readSectionStart(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, full: Bool
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 6 else { return .needsInput }
    let nameLength = Int(input.bigEndian(UInt8.self, at: position + 5))
    let headerLength = 6 + nameLength + 8
    guard available >= headerLength else { return .needsInput }
    let id = input.bigEndian(UInt32.self, at: position + 1)
    let name = input.text(position + 6..<position + 6 + nameLength)
    let instance = input.bigEndian(UInt32.self, at: position + 6 + nameLength)
    let version = input.bigEndian(UInt32.self, at: position + 10 + nameLength)
    if full {
      guard !counters.ramEnded, !beginsSnapshotStates(name) else {
        // Device states carry no length: nothing behind this can be told apart any more.
        state = .raw
        return .done
      }
      guard name.hasSuffix("/virtio-mem-device-early") else { throw .earlyDeviceState(name) }
      return try readEarlyVirtioMem(
        input, &position, &edits, headerLength: headerLength,
        SectionCounters(id: id, name: name, instance: instance, version: version, fulls: 1))
    }
    guard let body = body(of: name) else { throw .unknownSection(name: name) }
    guard sections.count < StreamEditor.mostSections else {
      throw .malformed("the number of sections")
    }
    if name == "ram" {
      guard version == StreamFormat.ramVersion else { throw .unknownRAMVersion(version) }
      ramSection = id
    }
    openSection = id
    enter(SectionCounters(id: id, name: name, instance: instance, version: version, starts: 1))
    take(headerLength, &position, &edits)
    state = body
    return .done
  }

  /// More than any machine has of devices that are migrated while it runs.
  private static let mostSections = 4096

  mutating func enter(_ section: SectionCounters) {
    sectionIndices[section.id] = sections.count
    sections.append(section)
  }

  private mutating func readSectionPart(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, end: Bool
  ) throws(BypassReason) -> StepResult {
    guard input.byteCount - position >= 5 else { return .needsInput }
    let id = input.bigEndian(UInt32.self, at: position + 1)
    guard let index = sectionIndices[id] else { throw .unknownSectionID(id) }
    // What was dropped has been judged: nothing is looked at any more, so nothing is dropped.
    guard !counters.ramEnded || sections[index].name != "ram" else {
      throw .malformed("a RAM section after the end of RAM")
    }
    openSection = id
    if end { sections[index].ends += 1 } else { sections[index].parts += 1 }
    take(5, &position, &edits)
    if sections[index].name == "ram" { inRAMEnd = end }
    // It has been started, or is virtio-mem's, which has neither PART nor END.
    state = body(of: sections[index].name) ?? .vfio
    return .done
  }

  private mutating func readCommand(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 5 else { return .needsInput }
    let command = Int(input.bigEndian(UInt16.self, at: position + 1))
    let length = Int(input.bigEndian(UInt16.self, at: position + 3))
    switch command {
    case StreamFormat.Command.packaged:
      guard length == 4 else { throw .malformed("the PACKAGED command") }
      guard available >= 9 else { return .needsInput }
      if isBeforeReturn, stops(at: .postcopySwitchover) { return .stop(.postcopySwitchover) }
      passedSwitchover = true
      let blob = UInt64(input.bigEndian(UInt32.self, at: position + 5))
      take(9, &position, &edits)
      packageEnd = counters.bytesIn + UInt64(position) + blob
      counters.commandBytes += 9 + blob
      state = .forward(blob, then: .element)
    case StreamFormat.Command.postcopyRAMDiscard:
      if isBeforeReturn, stops(at: .postcopySwitchover) { return .stop(.postcopySwitchover) }
      passedSwitchover = true
      take(5, &position, &edits)
      counters.commandBytes += 5 + UInt64(length)
      state = .forward(UInt64(length), then: .element)
    case StreamFormat.Command.enableCOLO where !readsOnly:
      throw .colo
    default:
      // Unknown commands delimit themselves.
      take(5, &position, &edits)
      counters.commandBytes += 5 + UInt64(length)
      state = .forward(UInt64(length), then: .element)
    }
    commands[command, default: 0] += 1
    switch command {
    case StreamFormat.Command.openReturnPath: counters.returnPathOpened = true
    case StreamFormat.Command.postcopyAdvise: counters.postcopyAdvised = true
    case StreamFormat.Command.switchoverStart: counters.switchoverStarted = true
    default: break
    }
    return .done
  }

  /// Whether the stream has been read up to here and neither the end of RAM nor post-copy's switchover has passed: a
  /// source with a return path that ends it has given up.
  public var precedesSwitchover: Bool { bypassReason == nil && isBeforeReturn }

  /// No point of no return has been passed. Where only dirty bitmaps are sent in post-copy, their
  /// switchover comes after the end of RAM, which was judged.
  private var isBeforeReturn: Bool { !passedSwitchover && !counters.ramEnded }

  /// Footers can be switched off; since their mark is no element's type, one byte decides.
  mutating func readFooter(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    guard input.byteCount > position else { return .needsInput }
    guard input.bigEndian(UInt8.self, at: position) == StreamFormat.Element.footer else {
      leaveSection(at: position)
      return .done
    }
    guard input.byteCount - position >= 5 else { return .needsInput }
    let id = input.bigEndian(UInt32.self, at: position + 1)
    guard id == openSection else { throw .footerMismatch(expected: openSection, found: id) }
    take(5, &position, &edits)
    counters.footers += 1
    leaveSection(at: position)
    return .done
  }

  private mutating func leaveSection(at position: Int) {
    state = .element
    guard let index = sectionIndices[openSection], let elementStart else { return }
    sections[index].bytes += counters.bytesIn + UInt64(position) - elementStart
  }
}
