// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// Which part of the next panel of weights each tile asks for, so that it has arrived when its turn comes: weights come
/// from the third-level cache or from memory, and each is used for the tiles of one panel only.
struct PrefetchSchedule {
    private let next: UnsafePointer<Float>
    private let share: Int
    /// Bytes between two requests.
    let step: Int

    /// - Parameter columnFloats: Floats of a panel that a tile reads from one request to the next.
    init(_ next: UnsafePointer<Float>, floats: Int, tiles: Int, columnFloats: Int) {
        self.next = next
        share = floats / tiles
        step = columnFloats * MemoryLayout<Float>.stride / tiles
    }

    func start(tile: Int) -> UnsafeRawPointer { UnsafeRawPointer(next + tile * share) }
}
