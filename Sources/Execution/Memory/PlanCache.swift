// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The plans of the most recent image sizes, for either mode. Not thread-safe; the plans that it returns are.
struct PlanCache: ~Copyable {
    /// It keeps more plans only while that many are in use.
    static var capacity: Int { 16 }

    private struct Entry: BitwiseCopyable {
        let plan: UnsafeMutablePointer<Plan>
        var users = 0
        /// The value of the clock when it was last returned.
        var lastUse = 0
        /// The memory of passes with it, for the most recent numbers of images.
        var sizes = InlineArray<4, MeasuredSize>(repeating: MeasuredSize())
        var nextSize = 0
    }

    private struct MeasuredSize: BitwiseCopyable {
        var images = 0
        var size: WorkspaceSize?
    }

    private var entries = UniqueArray<Entry>()
    private var clock = 0

    deinit {
        for index in 0..<entries.count { Heap.destroy(entries[index].plan) }
    }

    /// The plan for a size and mode, made if missing. Give it back after the pass.
    mutating func take(
        _ program: borrowing Program, _ planner: Planner, height: Int, width: Int, addsInPlace: Bool
    ) throws(BackboneError) -> UnsafePointer<Plan> {
        clock += 1
        for index in 0..<entries.count
        where entries[index].plan.pointee.height == height && entries[index].plan.pointee.width == width
            && entries[index].plan.pointee.addsInPlace == addsInPlace
        { return use(index) }
        evict()
        try entries.reserve(entries.count + 1)
        let plan = try Heap.make(
            Plan(program, planner, height: height, width: width, addsInPlace: addsInPlace))
        entries.appendReserved(Entry(plan: plan))
        return use(entries.count - 1)
    }

    mutating func giveBack(_ plan: UnsafePointer<Plan>) {
        for index in 0..<entries.count where UnsafePointer(entries[index].plan) == plan { entries[index].users -= 1 }
    }

    /// The size that `keep` recorded for a plan, which must be in use; nil if nothing was recorded, or long ago.
    func size(of plan: UnsafePointer<Plan>, images: Int) -> WorkspaceSize? {
        for index in 0..<entries.count where UnsafePointer(entries[index].plan) == plan {
            for position in entries[index].sizes.indices where entries[index].sizes[position].images == images {
                return entries[index].sizes[position].size
            }
        }
        return nil
    }

    /// Notes the memory of a pass with a plan, for so many images computed together.
    mutating func keep(_ size: WorkspaceSize, of plan: UnsafePointer<Plan>, images: Int) {
        for index in 0..<entries.count where UnsafePointer(entries[index].plan) == plan {
            let position = entries[index].nextSize
            entries[index].sizes[position] = MeasuredSize(images: images, size: size)
            entries[index].nextSize = (position + 1) % entries[index].sizes.count
        }
    }

    /// Calls `body` with every plan, and a number that is larger the later the plan was returned.
    func visit(_ body: (borrowing Plan, Int) -> Void) {
        for index in 0..<entries.count { body(entries[index].plan.pointee, entries[index].lastUse) }
    }

    private mutating func use(_ index: Int) -> UnsafePointer<Plan> {
        entries[index].users += 1
        entries[index].lastUse = clock
        return UnsafePointer(entries[index].plan)
    }

    /// Frees unused plans, the longest unused first, until one more fits.
    private mutating func evict() {
        while entries.count >= Self.capacity {
            var oldest = -1
            for index in 0..<entries.count where entries[index].users == 0 {
                if oldest < 0 || entries[index].lastUse < entries[oldest].lastUse { oldest = index }
            }
            if oldest < 0 { return }
            Heap.destroy(entries.swapRemove(at: oldest).plan)
        }
    }
}
