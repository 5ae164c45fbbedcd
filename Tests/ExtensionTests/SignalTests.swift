import Foundation
import Testing

@testable import WiredTigerExtension

/// Where the program has no descriptor to spare, a signal is looked at instead of waited for.
struct SignalTests {
  @Test(arguments: [true, false])
  func whoeverWaitsIsWokenWithAndWithoutADescriptor(hasDescriptor: Bool) {
    let signal = hasDescriptor ? Signal() : Signal(descriptor: -1)
    let never = Signal()
    #expect(!signal.isRaised && !signal.wait(milliseconds: 20))
    let crew = Crew("waker", count: 1) { _ in
      usleep(50_000)
      signal.raise()
    }
    #expect(signal.wait(milliseconds: 5000))
    Signal.wait(for: [never, signal])
    #expect(signal.isRaised && signal.wait() && !never.isRaised)
    crew.join()
  }

  @Test func aSignalWithoutADescriptorIsSeenBesideOneThatHasIt() {
    let (signal, other) = (Signal(descriptor: -1), Signal())
    let crew = Crew("waker", count: 1) { _ in
      usleep(50_000)
      signal.raise()
    }
    Signal.wait(for: [other, signal])
    #expect(signal.isRaised && !other.isRaised)
    crew.join()
  }
}
