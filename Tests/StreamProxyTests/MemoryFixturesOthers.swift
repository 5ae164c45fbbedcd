@testable import StreamProxy

extension MemoryFixture {
  /// QEMU 10.0.2:
  /// -M microvm -m 5G
  static let microvm5G = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                   microvm.ram    4 KiB  0x0000000000000000 0x0000000140000000 0x0000000140000000 0x00007f38d3e00000  rw
          /rom@etc/acpi/tables    4 KiB  0x0000000140040000 0x0000000000001000 0x0000000000200000 0x00007f3a61800000  ro
                       pc.bios    4 KiB  0x0000000140000000 0x0000000000020000 0x0000000000020000 0x00007f3a61c00000  rw
         /rom@etc/table-loader    4 KiB  0x0000000140240000 0x0000000000001000 0x0000000000010000 0x00007f3a61600000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x0000000140280000 0x0000000000001000 0x0000000000001000 0x00007f3a61400000  ro
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       AS "cpu-smm-0", root: memory
       Root memory region: system
        0000000000000000-00000000000dffff (prio 0, ram): microvm.ram
        00000000000e0000-00000000000fffff (prio 0, ram): pc.bios
        0000000000100000-00000000bfffffff (prio 0, ram): microvm.ram @0000000000100000
        00000000fea00000-00000000fea00003 (prio 0, i/o): acpi-ged
        00000000fea00200-00000000fea00202 (prio 0, i/o): acpi-ged-regs
        00000000feb00000-00000000feb001ff (prio 0, i/o): virtio-mmio
        00000000feb00200-00000000feb003ff (prio 0, i/o): virtio-mmio
        00000000feb00400-00000000feb005ff (prio 0, i/o): virtio-mmio
        00000000feb00600-00000000feb007ff (prio 0, i/o): virtio-mmio
        00000000feb00800-00000000feb009ff (prio 0, i/o): virtio-mmio
        00000000feb00a00-00000000feb00bff (prio 0, i/o): virtio-mmio
        00000000feb00c00-00000000feb00dff (prio 0, i/o): virtio-mmio
        00000000feb00e00-00000000feb00fff (prio 0, i/o): virtio-mmio
        00000000feb01000-00000000feb011ff (prio 0, i/o): virtio-mmio
        00000000feb01200-00000000feb013ff (prio 0, i/o): virtio-mmio
        00000000feb01400-00000000feb015ff (prio 0, i/o): virtio-mmio
        00000000feb01600-00000000feb017ff (prio 0, i/o): virtio-mmio
        00000000feb01800-00000000feb019ff (prio 0, i/o): virtio-mmio
        00000000feb01a00-00000000feb01bff (prio 0, i/o): virtio-mmio
        00000000feb01c00-00000000feb01dff (prio 0, i/o): virtio-mmio
        00000000feb01e00-00000000feb01fff (prio 0, i/o): virtio-mmio
        00000000feb02000-00000000feb021ff (prio 0, i/o): virtio-mmio
        00000000feb02200-00000000feb023ff (prio 0, i/o): virtio-mmio
        00000000feb02400-00000000feb025ff (prio 0, i/o): virtio-mmio
        00000000feb02600-00000000feb027ff (prio 0, i/o): virtio-mmio
        00000000feb02800-00000000feb029ff (prio 0, i/o): virtio-mmio
        00000000feb02a00-00000000feb02bff (prio 0, i/o): virtio-mmio
        00000000feb02c00-00000000feb02dff (prio 0, i/o): virtio-mmio
        00000000feb02e00-00000000feb02fff (prio 0, i/o): virtio-mmio
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fec10000-00000000fec10fff (prio 0, i/o): ioapic
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffe0000-00000000ffffffff (prio 0, ram): pc.bios
        0000000100000000-000000017fffffff (prio 0, ram): microvm.ram @00000000c0000000

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-000000000000001f (prio 0, i/o): io
        0000000000000020-0000000000000021 (prio 0, i/o): pic
        0000000000000022-000000000000003f (prio 0, i/o): io @0000000000000022
      """,
    memoryBackends: ["microvm.ram"])

  /// QEMU 10.0.2:
  /// -M q35 -m 4G -smp 2 -object memory-backend-ram,id=ram-node0,size=1G -object
  /// memory-backend-ram,id=ram-node1,size=3G -numa node,memdev=ram-node0,cpus=0 -numa
  /// node,memdev=ram-node1,cpus=1
  static let numa = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                     ram-node1    4 KiB  0x0000000040000000 0x00000000c0000000 0x00000000c0000000 0x00007fbeebc00000  rw
                     ram-node0    4 KiB  0x0000000000000000 0x0000000040000000 0x0000000040000000 0x00007fbfabe00000  rw
          /rom@etc/acpi/tables    4 KiB  0x0000000100080000 0x0000000000020000 0x0000000000200000 0x00007fc030800000  ro
                       pc.bios    4 KiB  0x0000000100000000 0x0000000000040000 0x0000000000040000 0x00007fc030e00000  ro
                        pc.rom    4 KiB  0x0000000100040000 0x0000000000020000 0x0000000000020000 0x00007fc030c00000  ro
         /rom@etc/table-loader    4 KiB  0x0000000100280000 0x0000000000001000 0x0000000000010000 0x00007fc030600000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000001002c0000 0x0000000000001000 0x0000000000001000 0x00007fc030400000  ro
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       AS "cpu-memory-1", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): ram-node0
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000003fffffff (prio 0, ram): ram-node0 @0000000000100000
        0000000040000000-000000007fffffff (prio 0, ram): ram-node1
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000017fffffff (prio 0, ram): ram-node1 @0000000040000000

      FlatView #1
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #2
       AS "cpu-smm-1", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): ram-node0
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #3
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): ram-node0
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #4
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       Root memory region: (none)
        No rendered FlatView
      """,
    memoryBackends: ["ram-node1", "ram-node0"])

  /// QEMU 10.0.2:
  /// -M q35 -m 256M,slots=4,maxmem=8G -object memory-backend-ram,id=memdimm0,size=1G
  /// -device pc-dimm,id=d0,memdev=memdimm0
  static let dimm = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
                      memdimm0    4 KiB  0x0000000000000000 0x0000000040000000 0x0000000040000000 0x00007fe3d3e00000  rw
                        pc.ram    4 KiB  0x0000000040000000 0x0000000010000000 0x0000000010000000 0x00007fe3bbe00000  rw
          /rom@etc/acpi/tables    4 KiB  0x0000000050080000 0x0000000000020000 0x0000000000200000 0x00007fe3d3000000  ro
                       pc.bios    4 KiB  0x0000000050000000 0x0000000000040000 0x0000000000040000 0x00007fe458200000  ro
                        pc.rom    4 KiB  0x0000000050040000 0x0000000000020000 0x0000000000020000 0x00007fe3d3400000  ro
         /rom@etc/table-loader    4 KiB  0x0000000050280000 0x0000000000001000 0x0000000000010000 0x00007fe3d2e00000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000502c0000 0x0000000000001000 0x0000000000001000 0x00007fe3d2c00000  ro
      """,
    flatViews: """
      FlatView #0
       AS "device-memory", root: device-memory
       Root memory region: memdimm0
        0000000000000000-000000003fffffff (prio 0, ram): memdimm0

      FlatView #1
       AS "mch", root: bus master container
       AS "ICH9-LPC", root: bus master container
       AS "ich9-ahci", root: bus master container
       AS "ICH9-SMB", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #2
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #3
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000000fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000013fffffff (prio 0, ram): memdimm0

      FlatView #4
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010
      """,
    memoryBackends: ["memdimm0", "pc.ram"],
    memoryDevices: """
      [{"type": "dimm",
      "data": {"memdev": "/objects/memdimm0", "hotplugged": false, "addr": 4294967296,
      "hotpluggable": true,
      "size": 1073741824, "slot": 0, "node": 0, "id": "d0"}}]
      """)

  /// QEMU 7.2.22:
  /// -M q35 -m 256M,slots=4,maxmem=8G -object memory-backend-ram,id=memdimm0,size=1G
  /// -device pc-dimm,id=d0,memdev=memdimm0
  static let dimmQEMU7 = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total
                      memdimm0    4 KiB  0x0000000000000000 0x0000000040000000 0x0000000040000000
                        pc.ram    4 KiB  0x0000000040000000 0x0000000010000000 0x0000000010000000
          /rom@etc/acpi/tables    4 KiB  0x0000000050080000 0x0000000000020000 0x0000000000200000
                       pc.bios    4 KiB  0x0000000050000000 0x0000000000040000 0x0000000000040000
                        pc.rom    4 KiB  0x0000000050040000 0x0000000000020000 0x0000000000020000
         /rom@etc/table-loader    4 KiB  0x0000000050280000 0x0000000000001000 0x0000000000010000
            /rom@etc/acpi/rsdp    4 KiB  0x00000000502c0000 0x0000000000001000 0x0000000000001000
      """,
    flatViews: """
      FlatView #0
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000000fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000013fffffff (prio 0, ram): memdimm0

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
    memoryBackends: ["memdimm0", "pc.ram"],
    memoryDevices: """
      [{"type": "dimm",
      "data": {"memdev": "/objects/memdimm0", "hotplugged": false, "addr": 4294967296,
      "hotpluggable": true,
      "size": 1073741824, "slot": 0, "node": 0, "id": "d0"}}]
      """)

  /// QEMU 10.0.2:
  /// -M pc -m 256M,maxmem=8G -object memory-backend-ram,id=vmem0,size=1G -device
  /// virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0
  static let virtioMem = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total                HVA  RO
            0000:00:02.0/vmem0    4 KiB  0x0000000000000000 0x0000000040000000 0x0000000040000000 0x00007feacfe00000  rw
                        pc.ram    4 KiB  0x0000000040000000 0x0000000010000000 0x0000000010000000 0x00007feab7e00000  rw
          /rom@etc/acpi/tables    4 KiB  0x0000000050080000 0x0000000000020000 0x0000000000200000 0x00007feb55200000  ro
                       pc.bios    4 KiB  0x0000000050000000 0x0000000000040000 0x0000000000040000 0x00007feb55800000  ro
                        pc.rom    4 KiB  0x0000000050040000 0x0000000000020000 0x0000000000020000 0x00007feb55600000  ro
         /rom@etc/table-loader    4 KiB  0x0000000050280000 0x0000000000001000 0x0000000000010000 0x00007feb55000000  ro
            /rom@etc/acpi/rsdp    4 KiB  0x00000000502c0000 0x0000000000001000 0x0000000000001000 0x00007feb54e00000  ro
      """,
    flatViews: """
      FlatView #0
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       AS "virtio-mem-pci", root: bus master container
       Root memory region: (none)
        No rendered FlatView

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
       AS "virtio-pci-cfg-mem-as", root: virtio-pci
       Root memory region: virtio-pci
        0000000000000000-0000000000000fff (prio 0, i/o): virtio-pci-common-virtio-mem
        0000000000001000-0000000000001fff (prio 0, i/o): virtio-pci-isr-virtio-mem
        0000000000002000-0000000000002fff (prio 0, i/o): virtio-pci-device-virtio-mem

      FlatView #4
       AS "device-memory", root: device-memory
       Root memory region: vmem0
        0000000000000000-000000003fffffff (prio 0, ram): vmem0

      FlatView #5
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000000fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000013fffffff (prio 0, ram): vmem0
      """,
    memoryBackends: ["vmem0", "pc.ram"],
    memoryDevices: """
      [{"type": "virtio-mem",
      "data": {"memdev": "/objects/vmem0", "memaddr": 4294967296, "block-size": 2097152,
      "size": 0, "node": 0,
      "max-size": 1073741824, "requested-size": 0, "id": "vm0"}}]
      """)

  /// QEMU 7.2.22:
  /// -M pc -m 256M,maxmem=8G -object memory-backend-ram,id=vmem0,size=1G -device
  /// virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0
  static let virtioMemQEMU7 = MemoryFixture(
    ramBlocks: """
                    Block Name    PSize              Offset               Used              Total
            0000:00:02.0/vmem0    4 KiB  0x0000000000000000 0x0000000040000000 0x0000000040000000
                        pc.ram    4 KiB  0x0000000040000000 0x0000000010000000 0x0000000010000000
          /rom@etc/acpi/tables    4 KiB  0x0000000050080000 0x0000000000020000 0x0000000000200000
                       pc.bios    4 KiB  0x0000000050000000 0x0000000000040000 0x0000000000040000
                        pc.rom    4 KiB  0x0000000050040000 0x0000000000020000 0x0000000000020000
         /rom@etc/table-loader    4 KiB  0x0000000050280000 0x0000000000001000 0x0000000000010000
            /rom@etc/acpi/rsdp    4 KiB  0x00000000502c0000 0x0000000000001000 0x0000000000001000
      """,
    flatViews: """
      FlatView #0
       AS "i440FX", root: bus master container
       AS "PIIX3", root: bus master container
       AS "piix3-ide", root: bus master container
       AS "PIIX4_PM", root: bus master container
       AS "virtio-mem-pci", root: bus master container
       Root memory region: (none)
        No rendered FlatView

      FlatView #1
       AS "cpu-smm-0", root: memory
       Root memory region: memory
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000

      FlatView #2
       AS "I/O", root: io
       Root memory region: io
        0000000000000000-0000000000000007 (prio 0, i/o): dma-chan
        0000000000000008-000000000000000f (prio 0, i/o): dma-cont
        0000000000000010-000000000000001f (prio 0, i/o): io @0000000000000010

      FlatView #3
       AS "memory", root: system
       AS "cpu-memory-0", root: system
       Root memory region: system
        0000000000000000-00000000000bffff (prio 0, ram): pc.ram
        00000000000c0000-00000000000dffff (prio 1, rom): pc.rom
        00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000
        0000000000100000-000000000fffffff (prio 0, ram): pc.ram @0000000000100000
        00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic
        00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
        00000000fee00000-00000000feefffff (prio 4096, i/o): apic-msi
        00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios
        0000000100000000-000000013fffffff (prio 0, ram): vmem0
      """,
    memoryBackends: ["vmem0", "pc.ram"],
    memoryDevices: """
      [{"type": "virtio-mem",
      "data": {"memdev": "/objects/vmem0", "memaddr": 4294967296, "block-size": 2097152,
      "size": 0, "node": 0,
      "max-size": 1073741824, "requested-size": 0, "id": "vm0"}}]
      """)
}
