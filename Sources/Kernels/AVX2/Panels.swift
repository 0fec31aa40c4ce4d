// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// A panel: the weights of so many output channels, which a tile computes at once.
enum PanelAVX2 {
    static let width = 16
}

/// Which part of the next panel of weights each tile asks for, so that it has arrived when its turn comes: weights come
/// from the third-level cache or from memory, and each is used for the tiles of one panel only.
struct PrefetchSchedule {
    private let next: UnsafePointer<Float>
    private let share: Int
    /// Bytes between two requests. A tile makes one for every four floats of a window, that is, for four cache lines of its
    /// own panel.
    let step: Int

    init(_ next: UnsafePointer<Float>, floats: Int, tiles: Int) {
        self.next = next
        share = floats / tiles
        step = 4 * 64 / tiles
    }

    func start(tile: Int) -> UnsafeRawPointer { UnsafeRawPointer(next + tile * share) }
}
