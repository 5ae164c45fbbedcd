import PageFilter

/// One stream pushed through one editor.
struct Run {
  struct Stopped: Equatable {
    var stop: StreamEditor.StopPoint
    var offset: Int
  }

  var output: [UInt8] = []
  var stops: [Stopped] = []
  var failure: StreamError?
  var counters = StreamCounters()
  var bypassReason: BypassReason?
  var bypassOffset: UInt64?
  var unreadOffset: UInt64?
  var blockPages: [RoundCounters] = []
  private var consumed = 0
  private var edits = 0

  init(_ stream: [UInt8], _ choices: Choices, cutAt cuts: [Int]) {
    var editor = choices.beginning.makeEditor()
    var list = EditList()
    var dead: DeadPages?
    var proven: Set<Int> = []
    let drops = choices.beginning != .recorded
    if drops, !editor.blocks.isEmpty {
      // What it rests on is known from the beginning.
      dead = choices.dead(editor.blocks, pageSize: editor.targetPageSize)
      if let dead { editor.install(dead) }
      if let mark = choices.mark { editor.watch(mark) }
      editor.watch(choices.probes)
    }
    var start = 0
    for end in cuts + [stream.count] where failure == nil {
      var wantsMore = false
      while !wantsMore, failure == nil {
        list.reset()
        do throws(StreamError) {
          // The array outlives the span.
          let input = unsafe stream.span.bytes.extracting(start..<max(start, end))
          let progress = try editor.process(input, into: &list)
          append(list, of: stream, from: start, to: max(start, end))
          switch progress {
          case .needsInput(let count):
            start += count
            wantsMore = true
          case .outputFull(let count):
            precondition(count > 0, "the edit list is full, and nothing was consumed")
            start += count
          case .reached(let stop, let count):
            start += count
            stops.append(Stopped(stop: stop, offset: start))
            precondition(stops.count <= stream.count + 2, "the editor does not come past a stop")
            if drops, stop == .firstPageRecord {
              dead = choices.dead(editor.blocks, pageSize: editor.targetPageSize)
              if let dead { editor.install(dead) }
              if let mark = choices.mark { editor.watch(mark) }
              editor.watch(choices.probes)
            }
            if case .probePassed(let number) = stop {
              precondition(
                proven.insert(number).inserted, "a probe passes for the first time twice")
              // What it proves becomes dead after it.
              let block = choices.probes[number].address.block
              let pages = editor.blocks[block].usedLength / UInt64(editor.targetPageSize)
              if !choices.nothingIsDead { dead?.insert(0..<Int(min(pages, 8)), block: block) }
            }
          }
        } catch {
          failure = error
        }
      }
      // A list of blocks may be empty.
      guard choices.removesPages, !editor.blocks.isEmpty else { continue }
      dead?.remove(end % 64..<end % 64 + 8, block: 0)
    }
    consumed = start
    counters = editor.counters
    bypassReason = editor.bypassReason
    bypassOffset = editor.bypassOffset
    unreadOffset = editor.unread?.offset
    blockPages = editor.blockPages
    precondition(blockPages.count == editor.blocks.count, "the blocks' account lacks some")
  }

  private mutating func append(
    _ list: borrowing EditList, of stream: [UInt8], from start: Int, to end: Int
  ) {
    let before = output.count
    for index in 0..<list.segmentCount {
      switch list[segment: index] {
      case .forward(let range):
        precondition(range.lowerBound >= 0 && range.upperBound <= end - start, "outside the input")
        output += stream[start + range.lowerBound..<start + range.upperBound]
      case .insert(let range):
        edits += 1
        unsafe precondition(
          range.lowerBound >= 0 && range.upperBound <= list.insertedBytes.count,
          "outside what is put in")
        // The list is not changed meanwhile.
        unsafe output.append(contentsOf: list.insertedBytes[range])
      }
    }
    precondition(output.count - before == list.byteCount, "the list's account is wrong")
  }

  /// What holds for every stream.
  func check(_ stream: [UInt8], nothingIsDead: Bool) {
    guard failure == nil else {
      precondition(counters.droppedPages > 0, "it failed though nothing was dropped")
      return
    }
    let normal = blockPages.reduce(0) { $0 + $1.normal }
    let zero = blockPages.reduce(0) { $0 + $1.zero }
    let dropped = blockPages.reduce(0) { $0 + $1.dropped }
    let xbzrle = blockPages.reduce(0) { $0 + $1.xbzrle }
    let compressed = blockPages.reduce(0) { $0 + $1.compressed }
    precondition(
      xbzrle == counters.xbzrlePages && compressed == counters.compressedPages,
      "the blocks' account of what a reader follows is wrong")
    precondition(
      normal == counters.normalPages && zero == counters.zeroPages
        && dropped == counters.droppedPages, "the blocks' account is wrong")
    precondition(counters.bytesIn == UInt64(consumed), "the input's account is wrong")
    precondition(counters.bytesOut == UInt64(output.count), "the output's account is wrong")
    precondition(
      stream.count - consumed < StreamEditor.longestElement, "too much is waited for")
    precondition(counters.droppedPages <= counters.normalPages, "more dropped than there were")
    if nothingIsDead {
      precondition(counters.droppedPages == 0, "something was dropped and nothing was dead")
      precondition(output.count == consumed, "something was left out or put in")
      if counters.markCopies == 0 {
        precondition(output.elementsEqual(stream[..<consumed]), "the stream was changed")
      }
    }
  }
}
