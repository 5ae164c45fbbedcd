@testable import StreamProxy

extension MemoryFixture {
  /// QEMU 10.0.2:
  /// -M q35 -m 2815M
  static let q352815M = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x00000000aff00000 0x00000000aff00000 0x00007f00c4000000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000000aff80000 0x0000000000020000 0x0000000000200000 0x00007f01c1600000  ro
                       pc.bios    4 KiB  0x00000000aff00000 0x0000000000040000 0x0000000000040000 0x00007f01c1c00000  ro
                        pc.rom    4 KiB  0x00000000aff40000 0x0000000000020000 0x0000000000020000 0x00007f01c1a00000  ro
         /rom@etc/table-loader    4 KiB  0x00000000b0180000 0x0000000000001000 0x0000000000010000 0x00007f01c1400000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000b01c0000 0x0000000000001000 0x0000000000001000 0x00007f01c1200000  ro
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-00000000afefffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #2
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #3
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       Root memory region: (none)
        No rendered FlatView
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 10.0.2:
  /// -M q35 -m 2816M
  static let q352816M = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x00000000b0000000 0x00000000b0000000 0x00007fbe2be00000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000000b0080000 0x0000000000020000 0x0000000000200000 0x00007fbf2a600000  ro
                       pc.bios    4 KiB  0x00000000b0000000 0x0000000000040000 0x0000000000040000 0x00007fbf2ac00000  ro
                        pc.rom    4 KiB  0x00000000b0040000 0x0000000000020000 0x0000000000020000 0x00007fbf2aa00000  ro
         /rom@etc/table-loader    4 KiB  0x00000000b0280000 0x0000000000001000 0x0000000000010000 0x00007fbf2a400000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000b02c0000 0x0000000000001000 0x0000000000001000 0x00007fbf2a200000  ro
      """,
    flatViews: """
      FlatView #0
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #1
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000007fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000012fffffff (prio 0, ram): pc.ram @0000000080000000

      FlatView #2
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #3
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       Root memory region: (none)
        No rendered FlatView
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 7.2.22:
  /// -M q35 -m 2816M
  static let q352816MQEMU7 = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total
                        pc.ram    4 KiB  0x0000000000000000 0x00000000b0000000 0x00000000b0000000
          /rom@etc/acpi/tables    4 KiB  0x00000000b0080000 0x0000000000020000 0x0000000000200000
                       pc.bios    4 KiB  0x00000000b0000000 0x0000000000040000 0x0000000000040000
                        pc.rom    4 KiB  0x00000000b0040000 0x0000000000020000 0x0000000000020000
         /rom@etc/table-loader    4 KiB  0x00000000b0280000 0x0000000000001000 0x0000000000010000
            /rom@etc/acpi/rsdp    4 KiB  0x00000000b02c0000 0x0000000000001000 0x0000000000001000
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000007fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000012fffffff (prio 0, ram): pc.ram @0000000080000000

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #2
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #3
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       Root memory region: (none)
        No rendered FlatView
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 10.0.2:
  /// -M q35 -m 5G -device VGA
  static let q355G = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x0000000140000000 0x0000000140000000 0x00007f51abe00000  rw
         0000:00:01.0/vga.vram    4 KiB  0x0000000140080000 0x0000000001000000 0x0000000001000000 0x00007f5338600000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000001410c0000 0x0000000000020000 0x0000000000200000 0x00007f51aba00000  ro
                       pc.bios    4 KiB  0x0000000140000000 0x0000000000040000 0x0000000000040000 0x00007f5339a00000  ro
                        pc.rom    4 KiB  0x0000000140040000 0x0000000000020000 0x0000000000020000 0x00007f5339800000  ro
          0000:00:01.0/vga.rom    4 KiB  0x0000000141080000 0x0000000000010000 0x0000000000010000 0x00007f5338400000  ro
         /rom@etc/table-loader    4 KiB  0x00000001412c0000 0x0000000000001000 0x0000000000010000 0x00007f5338200000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x0000000141300000 0x0000000000001000 0x0000000000001000 0x00007f51ab800000  ro
      """,
    flatViews: """
      FlatView #0
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #1
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       AS "VGA", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #2
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000007fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-00000001bfffffff (prio 0, ram): pc.ram @0000000080000000

      FlatView #3
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 10.0.2, after its firmware has run:
  /// -M q35 -m 512M -device VGA
  static let q35Booted = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x0000000020000000 0x0000000020000000 0x00007fc51fe00000  rw
         0000:00:01.0/vga.vram    4 KiB  0x0000000020080000 0x0000000001000000 0x0000000001000000 0x00007fc58d200000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000000210c0000 0x0000000000020000 0x0000000000200000 0x00007fc58cc00000  ro
                       pc.bios    4 KiB  0x0000000020000000 0x0000000000040000 0x0000000000040000 0x00007fc58e600000  ro
                        pc.rom    4 KiB  0x0000000020040000 0x0000000000020000 0x0000000000020000 0x00007fc58e400000  ro
          0000:00:01.0/vga.rom    4 KiB  0x0000000021080000 0x0000000000010000 0x0000000000010000 0x00007fc58d000000  ro
         /rom@etc/table-loader    4 KiB  0x00000000212c0000 0x0000000000001000 0x0000000000010000 0x00007fc58ca00000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x0000000021300000 0x0000000000001000 0x0000000000001000 0x00007fc58c800000  ro
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       AS "ich9-ahci", root: bus master container
       Root memory region: system
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000c9fff (prio 0, rom): pc.ram @00000000000c0000
        00000000000ca000-00000000000ccfff (prio 0, ram): pc.ram @00000000000ca000
        00000000000cd000-00000000000e3fff (prio 0, rom): pc.ram @00000000000cd000
        00000000000e4000-00000000000effff (prio 0, ram): pc.ram @00000000000e4000
        00000000000f0000-00000000000fffff (prio 0, rom): pc.ram @00000000000f0000
        0000000000100000-000000001fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000b0000000-00000000bfffffff (prio 0, i/o): pcie-mmcfg-mmio
        00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram
        00000000febf0000-00000000febf017f (prio 0, i/o): edid
        00000000febf0180-00000000febf03ff (prio 1, i/o): vga.mmio @0000000000000180
        00000000febf0400-00000000febf041f (prio 0, i/o): vga ioports remapped
        00000000febf0420-00000000febf04ff (prio 1, i/o): vga.mmio @0000000000000420
        00000000febf0500-00000000febf0515 (prio 0, i/o): bochs dispi interface
        00000000febf0516-00000000febf05ff (prio 1, i/o): vga.mmio @0000000000000516
        00000000febf0600-00000000febf0607 (prio 0, i/o): qemu extended regs
        00000000febf0608-00000000febf0fff (prio 1, i/o): vga.mmio @0000000000000608
        00000000febf1000-00000000febf1fff (prio 1, i/o): ahci
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fed1c000-00000000fed1ffff (prio 1, i/o): lpc-rcrb-mmio
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #2
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000c9fff (prio 0, rom): pc.ram @00000000000c0000
        00000000000ca000-00000000000ccfff (prio 0, ram): pc.ram @00000000000ca000

      FlatView #3
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ICH9-SMB", root: bus master container
       AS "VGA", root: bus master container
       Root memory region: (none)
        No rendered FlatView
      """,
    memoryBackends: ["pc.ram"])
}
