// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

// The trainable entries as one vector.
extension Network {
    /// Floats of the vector.
    package var trainableCount: Int {
        var cursor = TrainableCursor()
        while cursor.advance(self) {}
        return cursor.offset
    }

    /// The offset of a trainable entry.
    package func trainableOffset(ofEntry entry: Int) -> Int {
        var cursor = TrainableCursor()
        while cursor.advance(self) && cursor.entry < entry {}
        return cursor.offset
    }

    /// `requireValues` must have succeeded.
    package func readTrainable(into out: UnsafeMutablePointer<Float>) {
        var cursor = TrainableCursor()
        while cursor.advance(self) { read(graph.entries[cursor.entry], into: out + cursor.offset) }
    }

    /// `requireValues` must have succeeded.
    package mutating func writeTrainable(from values: UnsafePointer<Float>) {
        var cursor = TrainableCursor()
        while cursor.advance(self) { write(graph.entries[cursor.entry], from: values + cursor.offset) }
    }
}
