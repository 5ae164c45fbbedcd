@testable import StreamProxy

extension MemoryFixture {
  /// QEMU 10.0.2:
  /// -M pc -m 5G -device VGA -device virtio-net-pci
  static let i440fx5G = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x0000000140000000 0x0000000140000000 0x00007f40bfe00000  rw
         0000:00:02.0/vga.vram    4 KiB  0x0000000140080000 0x0000000001000000 0x0000000001000000 0x00007f4205c00000  rw
          /rom@etc/acpi/tables    4 KiB  0x0000000141100000 0x0000000000020000 0x0000000000200000 0x00007f4205600000  ro
                       pc.bios    4 KiB  0x0000000140000000 0x0000000000040000 0x0000000000040000 0x00007f424c400000  ro
      0000:00:03.0/virtio-net-pci.rom    4 KiB  0x00000001410c0000 0x0000000000040000 0x0000000000040000 0x00007f4205a00000  ro
                        pc.rom    4 KiB  0x0000000140040000 0x0000000000020000 0x0000000000020000 0x00007f424c200000  ro
          0000:00:02.0/vga.rom    4 KiB  0x0000000141080000 0x0000000000010000 0x0000000000010000 0x00007f4206e00000  ro
         /rom@etc/table-loader    4 KiB  0x0000000141300000 0x0000000000001000 0x0000000000010000 0x00007f4205400000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x0000000141340000 0x0000000000001000 0x0000000000001000 0x00007f4205200000  ro
      """,
    flatViews: """
      FlatView #0
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       AS "VGA", root: bus master container
       AS "virtio-net-pci", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #2
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000017fffffff (prio 0, ram): pc.ram @00000000c0000000

      FlatView #3
       AS "virtio-pci-cfg-mem-as", root: virtio-pci
       Root memory region: virtio-pci
        0000000000000000-0000000000000fff (prio 0, i/o): virtio-pci-common-virtio-net
        0000000000001000-0000000000001fff (prio 0, i/o): virtio-pci-isr-virtio-net
        0000000000002000-0000000000002fff (prio 0, i/o): virtio-pci-device-virtio-net

      FlatView #4
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 7.2.22:
  /// -M pc -m 5G -device VGA -device virtio-net-pci
  static let i440fx5GQEMU7 = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total
                        pc.ram    4 KiB  0x0000000000000000 0x0000000140000000 0x0000000140000000
         0000:00:02.0/vga.vram    4 KiB  0x0000000140080000 0x0000000001000000 0x0000000001000000
          /rom@etc/acpi/tables    4 KiB  0x0000000141100000 0x0000000000020000 0x0000000000200000
                       pc.bios    4 KiB  0x0000000140000000 0x0000000000040000 0x0000000000040000
      0000:00:03.0/virtio-net-pci.rom    4 KiB  0x00000001410c0000 0x0000000000040000 0x0000000000040000
                        pc.rom    4 KiB  0x0000000140040000 0x0000000000020000 0x0000000000020000
          0000:00:02.0/vga.rom    4 KiB  0x0000000141080000 0x0000000000010000 0x0000000000010000
         /rom@etc/table-loader    4 KiB  0x0000000141300000 0x0000000000001000 0x0000000000010000
            /rom@etc/acpi/rsdp    4 KiB  0x0000000141340000 0x0000000000001000 0x0000000000001000
      """,
    flatViews: """
      FlatView #0
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #1
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom

      FlatView #2
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       AS "VGA", root: bus master container
       AS "virtio-net-pci", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #3
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-000000000009ffff (prio 0, ram): pc.ram
        00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000017fffffff (prio 0, ram): pc.ram @00000000c0000000
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 10.0.2:
  /// -M pc -m 3200M
  static let i440fx3200M = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x00000000c8000000 0x00000000c8000000 0x00007f254fe00000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000000c8080000 0x0000000000020000 0x0000000000200000 0x00007f2665200000  ro
                       pc.bios    4 KiB  0x00000000c8000000 0x0000000000040000 0x0000000000040000 0x00007f2665800000  ro
                        pc.rom    4 KiB  0x00000000c8040000 0x0000000000020000 0x0000000000020000 0x00007f2665600000  ro
         /rom@etc/table-loader    4 KiB  0x00000000c8280000 0x0000000000001000 0x0000000000010000 0x00007f2665000000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000c82c0000 0x0000000000001000 0x0000000000001000 0x00007f2664e00000  ro
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
        0000000000100000-00000000c7ffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios

      FlatView #2
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #3
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
      """,
    memoryBackends: ["pc.ram"])

  /// QEMU 10.0.2:
  /// -M pc -m 3584M
  static let i440fx3584M = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                        pc.ram    4 KiB  0x0000000000000000 0x00000000e0000000 0x00000000e0000000 0x00007f487be00000  rw
          /rom@etc/acpi/tables    4 KiB  0x00000000e0080000 0x0000000000020000 0x0000000000200000 0x00007f49aa800000  ro
                       pc.bios    4 KiB  0x00000000e0000000 0x0000000000040000 0x0000000000040000 0x00007f49aae00000  ro
                        pc.rom    4 KiB  0x00000000e0040000 0x0000000000020000 0x0000000000020000 0x00007f49aac00000  ro
         /rom@etc/table-loader    4 KiB  0x00000000e0280000 0x0000000000001000 0x0000000000010000 0x00007f49aa600000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000e02c0000 0x0000000000001000 0x0000000000001000 0x00007f49aa400000  ro
      """,
    flatViews: """
      FlatView #0
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #1
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #2
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #3
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-00000000bfffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000011fffffff (prio 0, ram): pc.ram @00000000c0000000
      """,
    memoryBackends: ["pc.ram"])
}
