// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

/// The transforms of F(m, 3) as matrices, from the points alone by the construction of Cook and Toom: an independent
/// source for those that the kernels have written out.
struct WinogradMatrices {
    /// Pixels of a line: as many as `m`, or fewer at an edge of the image.
    let outputs: Int
    /// Which of the points of a whole line this one has.
    let indices: [Int]
    /// outputs x points, points of a whole line x 3 and points x samples.
    private(set) var output: [[Double]]
    private(set) var weights: [[Double]] = []
    private(set) var input: [[Double]] = []

    var samples: Int { input[0].count }

    /// - Parameter wanted: Pixels that the line shall have; more are computed where no fewer points give just these.
    init(m: Int, stride: Int, wanted: Int) {
        let all: [Double] =
            switch (stride, m) {
            case (1, 2): [0, 1, -1]
            case (1, 4): [0, 0.625, -0.625, 1.5, -1.5]
            case (1, _): [0, 0.5, -0.5, 1, -1, 2, -2]
            case (_, 2): [1, -1]
            default: [0.5, -0.5, 1.25, -1.25]
            }
        // F(1, 3) has no point at infinity here.
        let fewer: (outputs: Int, points: [Double])? =
            switch (stride, m, wanted) {
            case (1, 2, 1): (1, all)
            case (1, 4, 1...2): (2, [0, 0.625, -0.625])
            case (1, 6, 1...2): (2, [0, 1, -1])
            case (1, 6, 3...4): (4, [0, 0.5, -0.5, 2, -2])
            default: nil
            }
        let outputs = fewer?.outputs ?? m
        let points = fewer?.points ?? all
        let hasInfinity = outputs != 1
        self.outputs = outputs
        let samples = stride == 1 ? outputs + 2 : 2 * m + 1
        // At stride 2 the points of samples 0, 2, 4, ..., which two weights meet, come before samples 1, 3, ...
        func spread(_ coefficients: [Double]) -> [Double] {
            (0..<samples).map { $0 % stride == 0 && $0 / stride < coefficients.count ? coefficients[$0 / stride] : 0 }
        }
        func power(_ base: Double, _ exponent: Int) -> Double { (0..<exponent).reduce(1) { value, _ in value * base } }
        for point in all {
            let divisor = all.filter { $0 != point }.reduce(1) { $0 * (point - $1) }
            weights.append(
                stride == 1 ? [0, 1, 2].map { power(point, $0) / divisor } : [1 / divisor, 0, point / divisor])
        }
        weights.append([0, 0, 1])
        // The weights stay divided by the distances to the points that are left out: here they are factors.
        for point in points {
            let absent = all.filter { !points.contains($0) }.reduce(1) { $0 * (point - $1) }
            let others = points.filter { $0 != point }
            input.append(spread(Self.polynomial(withRoots: others).map { $0 * absent }))
        }
        var indices = points.map { point in all.firstIndex(of: point) ?? 0 }
        output = (0..<outputs).map { k in points.map { power($0, k) } }
        if hasInfinity {
            indices.append(all.count)
            input.append(spread(Self.polynomial(withRoots: points)))
            for k in 0..<outputs { output[k].append(k == outputs - 1 ? 1 : 0) }
        }
        if stride == 2 {
            for sample in 0..<m {
                indices.append(weights.count)
                weights.append([0, 1, 0])
                input.append((0..<samples).map { $0 == 2 * sample + 1 ? 1 : 0 })
                for k in 0..<m { output[k].append(k == sample ? 1 : 0) }
            }
        }
        self.indices = indices
    }

    /// The coefficients of `prod (x - root)`, of the lowest power first.
    private static func polynomial(withRoots roots: [Double]) -> [Double] {
        roots.reduce([1]) { coefficients, root in
            (0...coefficients.count).map { power in
                let above = power > 0 ? coefficients[power - 1] : 0
                return power < coefficients.count ? above - root * coefficients[power] : above
            }
        }
    }

    var magnitudes: WinogradMatrices {
        var copy = self
        copy.output = output.map { $0.map(abs) }
        copy.weights = weights.map { $0.map(abs) }
        copy.input = input.map { $0.map(abs) }
        return copy
    }
}

/// `rows * square * transposed columns`.
func transform(_ square: [[Double]], rows: [[Double]], columns: [[Double]]) -> [[Double]] {
    let half = rows.map { row in
        square[0].indices.map { column in row.indices.reduce(0) { $0 + row[$1] * square[$1][column] } }
    }
    return half.map { line in columns.map { row in row.indices.reduce(0) { $0 + row[$1] * line[$1] } } }
}
