// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import CShims

func median(_ values: [Int]) -> Int { values.sorted()[values.count / 2] }

func measureForward(_ options: Options) throws {
    let network = try BenchNetwork(options)
    for _ in 0..<2 { try network.forward() }
    let times = try (0..<options.runs).map { _ in
        let start = shims_nanoseconds()
        try network.forward()
        return shims_nanoseconds() - start
    }
    let sorted = times.sorted()
    print(
        "median \(milliseconds(median(times))) ms, fastest \(milliseconds(sorted[0])), "
            + "slowest \(milliseconds(sorted[sorted.count - 1]))")
}

func measureLayers(_ options: Options) throws {
    let network = try BenchNetwork(options)
    for _ in 0..<2 { try network.forward() }
    let runs = try (0..<options.runs).map { _ in try network.profile() }
    let columns = [
        (-22, "layer"), (18, "input"), (18, "output"), (-34, "kernel"), (9, "ms"), (9, "GFLOP/s"), (9, "GB/s"),
    ]
    print(row(columns.map(\.1), columns))
    var total = 0
    for (index, layer) in runs[0].enumerated() {
        let time = median(runs.map { Int($0[index].nanoseconds) })
        total += time
        print(
            row(
                [
                    name(layer), size(layer.input_shape), size(layer.output_shape), String(cString: layer.kernel),
                    milliseconds(time), layer.operations == 0 ? "" : tenths(Double(layer.operations) / Double(time)),
                    tenths(Double(layer.bytes) / Double(time)),
                ], columns))
    }
    let operations = runs[0].reduce(0) { $0 + $1.operations }
    let whole = median(runs.map { $0.reduce(0) { $0 + Int($1.nanoseconds) } })
    print(
        "sum of medians \(milliseconds(total)) ms, median of sums \(milliseconds(whole)) ms, "
            + "\(tenths(Double(operations) / Double(whole))) GFLOP/s of the definition")
}

func name(_ layer: backbone_layer) -> String {
    withUnsafeBytes(of: layer.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

private func size(_ shape: (Int64, Int64, Int64, Int64)) -> String {
    (shape.0 == 1 ? "" : "\(shape.0) x ") + "\(shape.1) x \(shape.2) x \(shape.3)"
}

/// Columns of a width, aligned to the left where it is negative.
func row(_ cells: [String], _ columns: [(Int, String)]) -> String {
    zip(cells, columns).map { cell, column in
        let blanks = String(repeating: " ", count: max(0, abs(column.0) - cell.count))
        return column.0 < 0 ? cell + blanks : blanks + cell
    }.joined(separator: " ")
}

func tenths(_ value: Double) -> String { decimals(value, 10) }
func milliseconds(_ nanoseconds: Int) -> String { decimals(Double(nanoseconds) / 1e6, 1000) }

private func decimals(_ value: Double, _ factor: Int) -> String {
    let scaled = Int((value * Double(factor)).rounded())
    let digits = String(factor).count - 1
    let fraction = String(scaled % factor)
    return "\(scaled / factor)." + String(repeating: "0", count: digits - fraction.count) + fraction
}
