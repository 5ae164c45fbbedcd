// Iterable sections that are not RAM. They are passed on untouched; they are parsed only to know
// where they end, because their length is not on the wire.

extension StreamEditor {
  /// How a section's bodies are read, by the section's name; nil where that is not known.
  func body(of name: String) -> State? {
    switch name {
    case "ram": .ramRecords
    case "dirty-bitmap": .dirtyBitmap
    case "block": .diskBlocks
    case "spapr/htab" where readsOnly: .hashTable(.header)
    case "s390-storage_attributes" where readsOnly: .storageAttributes
    case _ where name.hasSuffix("/vfio"): .vfio
    default: nil
    }
  }

  /// virtio-mem's plugged bitmap comes before the pages (`hw/virtio/virtio-mem.c`,
  /// vmstate_virtio_mem_device_early): three 64-bit sizes, a node, the plugged size and the bitmap.
  mutating func readEarlyVirtioMem(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList, headerLength: Int,
    _ section: SectionCounters
  ) throws(BypassReason) -> StepResult {
    let body = position + headerLength
    guard input.byteCount >= body + 36 else { return .needsInput }
    let size = input.bigEndian(UInt64.self, at: body + 8)
    let unit = input.bigEndian(UInt64.self, at: body + 16)
    guard section.version == 1, unit > 0, size / unit < 1 << 32 else {
      throw .earlyDeviceState(section.name)
    }
    openSection = section.id
    enter(section)
    take(headerLength + 36, &position, &edits)
    // QEMU writes the bitmap in whole 64-bit words.
    state = .forward((size / unit + 63) / 64 * 8, then: .footer)
    return .done
  }

  /// `migration/block-dirty-bitmap.c`: flags, names and bits, until EOS.
  mutating func readDirtyBitmap(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 1 else { return .needsInput }
    var end = position
    // The highest bit of the first byte says "two bytes", of the second "four".
    var flags = UInt32(input.bigEndian(UInt8.self, at: end))
    end += 1
    if flags & 0x80 != 0 {
      guard available >= 2 else { return .needsInput }
      flags = UInt32(input.bigEndian(UInt16.self, at: position))
      end += 1
      if flags & 0x80 != 0 {
        guard available >= 4 else { return .needsInput }
        flags = input.bigEndian(UInt32.self, at: position)
        end += 2
      }
    }
    for flag in [0x08, 0x04] as [UInt32] where flags & flag != 0 {
      guard input.byteCount > end else { return .needsInput }
      end += 1 + Int(input.bigEndian(UInt8.self, at: end))
    }
    guard input.byteCount >= end else { return .needsInput }
    var trailing: UInt64 = 0
    if flags & 0x10 != 0 {
      trailing = 5
    } else if flags & 0x40 != 0 {
      end += 12
      if flags & 0x02 == 0 {
        guard input.byteCount >= end + 8 else { return .needsInput }
        trailing = input.bigEndian(UInt64.self, at: end)
        end += 8
        guard trailing < 1 << 40 else { throw .malformed("a dirty bitmap's size") }
      }
      guard input.byteCount >= end else { return .needsInput }
    }
    take(end - position, &position, &edits)
    state = .forward(trailing, then: flags & 0x01 != 0 ? .footer : .dirtyBitmap)
    return .done
  }

  /// `hw/vfio/migration.c`: tagged pieces; some tags end the section.
  mutating func readVFIO(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    guard input.byteCount - position >= 8 else { return .needsInput }
    let tag = input.bigEndian(UInt64.self, at: position)
    switch tag {
    case 0xffff_ffff_ef10_0003:  // device setup: END_OF_STATE follows
      take(8, &position, &edits)
    case 0xffff_ffff_ef10_0004:  // device data
      guard input.byteCount - position >= 16 else { return .needsInput }
      let size = input.bigEndian(UInt64.self, at: position + 8)
      guard size < 1 << 40 else { throw .malformed("a VFIO device's data size") }
      take(16, &position, &edits)
      state = .forward(size, then: .vfio)
    case 0xffff_ffff_ef10_0001, 0xffff_ffff_ef10_0005:  // end of state, initial data sent
      take(8, &position, &edits)
      state = .footer
    default:
      throw .malformed("a VFIO section")
    }
    return .done
  }

  /// `migration/block.c` of QEMU 9.0 and before: 1 MiB chunks of disks, until EOS.
  mutating func readDiskBlocks(
    _ input: RawSpan, _ position: inout Int, _ edits: inout EditList
  ) throws(BypassReason) -> StepResult {
    let available = input.byteCount - position
    guard available >= 8 else { return .needsInput }
    let flags = input.bigEndian(UInt64.self, at: position) & 0x1ff
    switch flags & ~0x08 {
    case 0x01:
      guard available >= 9 else { return .needsInput }
      let length = 9 + Int(input.bigEndian(UInt8.self, at: position + 8))
      guard available >= length else { return .needsInput }
      take(length, &position, &edits)
      state = .forward(flags & 0x08 != 0 ? 0 : 1 << 20, then: .diskBlocks)
    case 0x04:
      take(8, &position, &edits)
    case 0x02:
      take(8, &position, &edits)
      state = .footer
    default:
      throw .malformed("a section of disk blocks")
    }
    return .done
  }
}
