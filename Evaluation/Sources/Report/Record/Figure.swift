/// What is measured in a run. The raw value is the key in the raw data and names the unit (counts and
/// bytes where it names none).
package enum Figure: String, CaseIterable, Codable, Sendable {
  /// From the operator's first command to the migration's end at the source: dropping caches, inflating
  /// the balloon and the guest's own preparation inside.
  case total = "total_s"
  /// Of that, what went by before `migrate`.
  case operatorPreparation = "operator_preparation_s"
  /// From PREPARE to the guest's complete report.
  case prepare = "prepare_s"
  /// As the source QEMU reports it.
  case downtimeQEMU = "downtime_qemu_ms"
  /// From the source's STOP to the destination's RESUME, when nobody has the guest.
  case stopped = "stopped_ms"
  /// From the last heartbeat at the source to the first at the destination, on the host's clock.
  case downtimeClient = "downtime_client_ms"
  /// Sent by the source's host meanwhile. The kernel counts the headers of a large segment once, so the wire
  /// carries some 4 % more.
  case wireBytes = "wire_bytes"
  /// Times that QEMU read the dirty log.
  case rounds
  /// 1 where post-copy was ordered and pages were sent after the switch, 0 where it came too late.
  case postcopySwitched = "postcopy_switched"
  case pagesDropped = "pages_dropped"
  /// 1 where the migration came to its end within the time it was given, else 0.
  case converged
  /// From the switchover to the guardian's word that the cache has been read back.
  case refault = "refault_s"
  case leavesManifest = "leaves_manifest"
  case leavesResident = "leaves_resident"

  /// Processor time from the operator's first command until the cache is back, or for as long as that
  /// would be (see ``observed``).
  case sourceProcessor = "source_qemu_cpu_s"
  case destinationProcessor = "destination_qemu_cpu_s"
  case proxyProcessor = "proxy_cpu_s"
  case guestProcessor = "guest_cpu_s"
  /// Read from the shared storage in that time.
  case storageBytesRead = "storage_read_bytes"
  case storageReads = "storage_reads"
  /// How many processors of the host other programs took in that time, on average; below 0 by what clocks
  /// disagree.
  case otherPrograms = "other_programs_processors"
  /// How long that time is.
  case observed = "observed_s"
  /// What a read of the host's memory took just before, at a random place and after the one before it.
  case memoryLatency = "host_memory_read_ns"

  case operationsBefore = "ops_before"
  case operationsDuring = "ops_during"
  case operationsAfter = "ops_after"
  /// From the switchover to the beginning of the first three seconds with 90 % of the operations on average
  /// that clients ask for; absent where they were not reached while it was observed.
  case secondsTo90 = "seconds_to_90"
  /// How long it was observed after the switchover.
  case observedAfter = "observed_after_s"
  case operationErrors = "ops_errors"
  /// 0 where every document was read and right at the end; absent where only the workload looked.
  case documentsBad = "documents_bad"

  // The guest's memory, bytes.
  case cacheUsed = "cache_bytes"
  case pageCache = "page_cache_bytes"
  /// Anonymous memory of all processes but WiredTiger's cache, and the kernel's own.
  case rest = "rest_bytes"
  case free = "free_bytes"
  case database = "database_bytes"
}
