// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Kernels
import Networks
import Runtime

/// The data that a forward pass keeps for the backward pass: the target of a C handle of a tape.
///
/// The value is a reference; `destroy` frees its target.
package struct Tape {
    let state: UnsafeMutablePointer<TapeState>

    package init(_ session: SessionIdentity, _ options: TapeOptions) throws(BackboneError) {
        let lock = try Mutex()
        state = try Heap.make(TapeState(lock: lock, options: options, session: session))
    }

    /// The tape of a handle that `handle` returned.
    package init(handle: OpaquePointer) { state = UnsafeMutablePointer(handle) }

    package var handle: OpaquePointer { OpaquePointer(state) }

    package func destroy() { Heap.destroy(state) }

    /// Makes its passes add their times to `times`, which must outlive them; for benchmarks.
    package func measure(_ times: UnsafeMutablePointer<TrainingTimes>) { state.pointee.times = times }
}

/// Identifies the session of an object: no two sessions have the same.
package struct SessionIdentity: BitwiseCopyable, Equatable {
    let address: Int
    let nanoseconds: Int
}

/// The conditions under which a tape was filled. A plan is valid while all of them stay the same.
struct TapeKey: BitwiseCopyable, Equatable {
    let imageCount: Int
    let height: Int
    let width: Int
    /// The network's `layoutRevision`.
    let layoutRevision: Int
    let usesBatchStatistics: Bool
}

struct TapeState: ~Copyable {
    /// Held by the call that uses the tape.
    let lock: Mutex
    let options: TapeOptions
    let session: SessionIdentity

    /// The number of nodes computed as in evaluation mode, including the image, with the engines for these and for the
    /// rest. 0 at first.
    var boundary = 0
    var prefix: UnsafeMutablePointer<Engine>?
    var trained: UnsafeMutablePointer<Engine>?
    var key: TapeKey?
    var plan: UnsafeMutablePointer<TapePlan>?
    var size: TapeSize?
    var memory: UnsafeMutableRawPointer?
    var byteCount = 0
    /// Offset of the gradient of each entry of the graph; -1 for entries that are not trained.
    var offsets = UniqueArray<Int>()
    var gradientCount = 0
    /// See `BackwardState`.
    var isSet = UniqueArray<Bool>()
    var isWritten = UniqueArray<Bool>()

    /// Whether a forward pass can be gone back over, with the network values that it used.
    var isFull = false
    var times: UnsafeMutablePointer<TrainingTimes>?
    var valueRevision = 0

    init(lock: consuming Mutex, options: TapeOptions, session: SessionIdentity) {
        self.lock = lock
        self.options = options
        self.session = session
    }

    deinit {
        if let prefix { Heap.destroy(prefix) }
        if let trained { Heap.destroy(trained) }
        if let plan { Heap.destroy(plan) }
        if let memory { free(memory) }
    }

    /// Makes the engines for the present freezing of a network.
    mutating func prepareEngines(_ network: borrowing Network, _ engine: borrowing Engine) throws(BackboneError) {
        let first = options.wantsInputGradient ? 1 : network.firstTrainedNode
        if first == boundary { return }
        discardEngines()
        if first > 1 {
            prefix = try Heap.make(
                try Engine(network.graph, .first(first), planner: engine.planner, sharing: engine))
        }
        trained = try Heap.make(
            try Engine(
                network.graph, .after(first, of: network.graph), planner: engine.planner.forTraining, sharing: engine))
        boundary = first
    }

    private mutating func discardEngines() {
        boundary = 0
        key = nil
        if let prefix { Heap.destroy(prefix) }
        if let trained { Heap.destroy(trained) }
        (prefix, trained) = (nil, nil)
    }

    /// Makes room for so many bytes; earlier contents are lost.
    mutating func reserve(_ count: Int) throws(BackboneError) {
        if count <= byteCount { return }
        if let memory { free(memory) }
        (memory, byteCount) = (nil, 0)
        memory = UnsafeMutableRawPointer(try Heap.allocate(UInt8.self, count: count))
        byteCount = count
    }

    /// Notes the offsets of the gradients of a network's entries.
    mutating func layOut(_ network: borrowing Network) throws(BackboneError) {
        offsets = try UniqueArray(repeating: -1, count: network.graph.entries.count)
        isWritten = try UniqueArray(repeating: false, count: network.graph.entries.count)
        var cursor = TrainableCursor()
        while cursor.advance(network) { offsets[cursor.entry] = cursor.offset }
        gradientCount = cursor.offset
    }
}
