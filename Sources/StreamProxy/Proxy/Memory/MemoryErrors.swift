/// Why there is no map of the guest's memory, so that nothing may be edited.
enum MemoryMapError: Error, Equatable, Sendable {
  case qmp(QMPError)
  /// What the human monitor printed has a form that is not known.
  case unreadable(command: String, line: String)
  /// The memory region is a memory backend's, and no RAM block or several can be meant.
  case unclearBlock(region: String, candidates: [String])
  /// A range reaches beyond its block, or two name the same part of one.
  case contradiction(String)
  /// No range of the address space is guest RAM.
  case noMemory
}

extension MemoryMapError: CustomStringConvertible {
  var description: String {
    switch self {
    case .qmp(let error):
      "the guest's memory map cannot be asked for: \(error)"
    case .unreadable(let command, let line):
      "\(command) of this QEMU cannot be read; it says: \(line)"
    case .unclearBlock(let region, let candidates) where candidates.isEmpty:
      "QEMU maps the memory backend \(region), and no RAM block has its name"
    case .unclearBlock(let region, let candidates):
      """
      QEMU maps the memory backend \(region), and several RAM blocks may be meant: \
      \(candidates.joined(separator: ", "))
      """
    case .contradiction(let sentence):
      "QEMU's description of the guest's memory contradicts itself: \(sentence)"
    case .noMemory:
      "QEMU maps no memory backend into the guest's address space above 1 MiB"
    }
  }
}

/// Why a report of held pages is refused, whole.
enum ReportError: Error, Equatable, Sendable {
  /// Firmware and video memory shadow parts of the first MiB; nothing there is ever dead.
  case belowOneMegabyte(address: UInt64)
  /// No guest RAM at this address; `region` is what QEMU has there, if anything that looks like
  /// memory.
  case outsideRAM(address: UInt64, region: String?)
  /// The block is guest RAM, and the stream does not list it.
  case unknownToStream(address: UInt64, block: String)
}

extension ReportError: CustomStringConvertible {
  var description: String {
    switch self {
    case .belowOneMegabyte(let address):
      """
      the guest reports the page at \(hexadecimal(address)), below 1 MiB, where no page is ever \
      taken for dead; the report is refused
      """
    case .outsideRAM(let address, nil):
      """
      the guest reports the page at \(hexadecimal(address)), where it has no RAM; the report is \
      refused
      """
    case .outsideRAM(let address, let region?):
      """
      the guest reports the page at \(hexadecimal(address)), which is \(region) and not its RAM; the \
      report is refused
      """
    case .unknownToStream(let address, let block):
      """
      the guest reports the page at \(hexadecimal(address)) in RAM block \(block), which the stream \
      does not list; the report is refused
      """
    }
  }
}

func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
