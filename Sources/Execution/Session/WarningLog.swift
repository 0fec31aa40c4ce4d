// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

/// The kinds of warnings of a forward pass.
enum ForwardWarning: Int32 {
    /// Floats look unnormalised, but means and deviations apply to uint8 alone.
    case floatsNotNormalized
    /// Floats are far larger than the loaded stem expects.
    case floatsTooLarge
    /// Floats are far smaller than the loaded stem, or the means and deviations, expect.
    case floatsTooSmall
    /// uint8 values are far larger than the loaded stem expects, or neither options nor stem show that the network was
    /// trained with them.
    case bytesTooLarge
    case inputNotFinite
    case featuresNotFinite

    static var count: Int { 6 }
    var bit: Int32 { 1 << rawValue }
}

/// The warnings that forward passes of one session have given: each kind once, in the order in which they came.
///
/// Texts never change or move once they are counted, so a caller may read them while other threads add some. A forward
/// pass without a warning takes no lock.
struct WarningLog: ~Copyable {
    private let lock: Mutex
    /// The number of texts, the kinds given so far, and the expected scale. Written with `lock` held, but for the
    /// last; read without it.
    private let atomics: Buffer<Int32>
    private let texts: Buffer<CChar>

    private var count: UnsafeMutablePointer<Int32> { atomics.start }
    private var kinds: UnsafeMutablePointer<Int32> { atomics.start + 1 }
    private var scale: UnsafeMutablePointer<Int32> { atomics.start + 2 }
    private static var textSize: Int { Message.capacity + 1 }

    init() throws(BackboneError) {
        let lock = try Mutex()
        let atomics = try Buffer<Int32>(count: 3)
        let texts = try Buffer<CChar>(count: ForwardWarning.count * Self.textSize)
        atomics.start.update(repeating: 0, count: 3)
        self.lock = lock
        self.atomics = atomics
        self.texts = texts
    }

    /// The number of warnings so far.
    var textCount: Int { Int(shims_atomic_load(count)) }

    /// One of those that `textCount` has counted.
    func text(_ index: Int) -> UnsafePointer<CChar> { UnsafePointer(texts.start + index * Self.textSize) }

    /// The bits of the kinds that were not given yet.
    var pendingKinds: Int32 { ~shims_atomic_load(kinds) }

    /// Adds a warning of a kind that was not given yet.
    func add(_ kind: ForwardWarning, _ message: @autoclosure () -> Message) {
        guard pendingKinds & kind.bit != 0 else { return }
        lock.lock()
        defer { lock.unlock() }
        let given = shims_atomic_load(kinds)
        guard given & kind.bit == 0 else { return }
        let index = textCount
        message().write(to: texts.start + index * Self.textSize)
        shims_atomic_store(kinds, given | kind.bit)
        // Last: once counted, the text is complete.
        shims_atomic_store(count, Int32(truncatingIfNeeded: index + 1))
    }

    /// Whether the loaded stem expects pixels not divided by a deviation, or else inputs of deviation 1; nil if
    /// unknown.
    var expectsPixels: Bool? {
        get {
            let value = shims_atomic_load(scale)
            return value == 0 ? nil : value == 1
        }
        nonmutating set {
            let value: Int32 =
                switch newValue {
                case nil: 0
                case true: 1
                case false: 2
                }
            shims_atomic_store(scale, value)
        }
    }
}
