// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Testing

/// What a number should be, and the sum of the magnitudes that went into it: `sum |a| |b|` and all that was added.
struct Expected {
    var value: Double
    var magnitude: Double
}

/// How far a result of `terms` roundings may be from the exact one: each is off by at most half an ulp of 1, relative to
/// a partial sum that is at most the sum of magnitudes (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
func tolerance(terms: Int, magnitude: Double) -> Double {
    Double(terms) * Double(Float.ulpOfOne) / 2 * magnitude + Double(Float.leastNormalMagnitude)
}

/// Expects every element within its tolerance and reports the first that is not.
func expectClose(
    _ actual: [Float], _ expected: [Expected], terms: Int, _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard actual.count == expected.count else {
        Issue.record("\(what()): \(actual.count) values instead of \(expected.count)", sourceLocation: sourceLocation)
        return
    }
    for (index, (actual, expected)) in zip(actual, expected).enumerated() {
        // Infinities have no difference.
        if actual.isNaN && expected.value.isNaN || Double(actual) == expected.value { continue }
        let allowed = tolerance(terms: terms, magnitude: expected.magnitude)
        guard allowed.isFinite && abs(Double(actual) - expected.value) <= allowed else {
            Issue.record(
                "\(what()): element \(index) is \(actual) instead of \(expected.value), off by more than \(allowed)",
                sourceLocation: sourceLocation)
            return
        }
    }
}

/// Expects the same bits.
func expectSameBits(
    _ actual: [Float], _ expected: [Float], _ what: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let difference = zip(actual, expected).enumerated().first { $1.0.bitPattern != $1.1.bitPattern }
    #expect(actual.count == expected.count, sourceLocation: sourceLocation)
    if let (index, values) = difference {
        Issue.record(
            "\(what()): element \(index) is \(values.0) instead of \(values.1)", sourceLocation: sourceLocation)
    }
}
