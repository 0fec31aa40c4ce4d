// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// The work of one step of a section in one band: the rows that it computes, and their place in tensors of which only a
/// few rows are kept.
struct BandStep: BitwiseCopyable {
    /// Rows of what the step writes, `start ..< end`; none where earlier bands did more than they had to.
    let start: Int
    let end: Int
    /// The rows that come first in the kept ones of the tensor that is read, and of the one that is written. Before the
    /// step, what it keeps of the written one moves from where `previousFirstRow` comes first.
    let sourceFirstRow: Int
    let targetFirstRow: Int
    let previousFirstRow: Int

    var rows: Range<Int> { start..<end }
}

/// Cuts a section into bands of rows: each step computes the rows that later steps need for theirs, and each row once.
///
/// A band is skewed: the earlier a step is, the more rows it is ahead by, for the windows of the later ones. So the sum
/// may overwrite rows of the residual: all other readers have read them already.
struct BandPlanner: ~Copyable {
    /// A step of the section. `producer` and `residualProducer` are the steps in the section that wrote what is read, -1
    /// where it was written before.
    fileprivate struct Step: BitwiseCopyable {
        let source: Int
        let target: Int
        let height: Int
        let sourceHeight: Int
        let targetBorder: Int
        let sourceBorder: Int
        let window: Window
        /// Rows are computed by so many at a time, from the first one on.
        let alignment: Int
        var producer = -1
        var residualProducer = -1
        var isConsumed = false
        /// Whether no more rows of its target are kept than needed.
        var isKeptInPart = false

        /// Rows done, rows to be done with this band, the first row that is kept, and how many had to be.
        var done = 0
        var end = 0
        var firstRow = 0
        var keptRows = 0

        /// The end of the rows that are read for rows up to `end`.
        func sourceEnd(_ end: Int) -> Int {
            end >= height
                ? sourceHeight
                : end <= 0 ? 0 : min(sourceHeight, (end - 1) * window.stride + window.extent - window.padding)
        }
    }

    private var steps = UniqueArray<Step>()

    /// Most bands of a section, so that images of any height have short plans.
    private static var mostBands: Int { 256 }
}

extension BandPlanner {
    init(_ plan: borrowing Plan, _ section: PlanSection) throws(BackboneError) {
        for index in section.firstStep..<section.endStep {
            var step = Step(plan, plan.steps[index])
            let residual = plan.steps[index].residual ?? -1
            for earlier in 0..<steps.count {
                let target = steps[earlier].target
                if target < 0 { continue }
                if target == step.source { step.producer = earlier }
                if target == residual { step.residualProducer = earlier }
            }
            if step.producer >= 0 { steps[step.producer].isConsumed = true }
            if step.residualProducer >= 0 { steps[step.residualProducer].isConsumed = true }
            try steps.append(step)
        }
        for index in 0..<steps.count where steps[index].target >= 0 {
            steps[index].isKeptInPart = plan.isUsedBySourcesAlone(steps[index].target, in: section)
        }
    }

    /// Rows of the last step in a band for which about `floats` are read and written: as many tiles as possible, whole ones.
    func rows(floats: Int, _ plan: borrowing Plan) -> Int {
        let height = steps[steps.count - 1].height
        var floatsPerRow: Int? = 1
        var alignment = 1
        for index in 0..<steps.count {
            let step = steps[index]
            alignment = max(alignment, step.alignment)
            // The added tensor was counted where it was written or first read.
            if step.target >= 0 && step.residualProducer < 0 {
                floatsPerRow = checkedSum(floatsPerRow, plan.tensors[step.target].floatCount / height)
            }
            if step.source >= 0 && step.producer < 0 {
                floatsPerRow = checkedSum(floatsPerRow, plan.tensors[step.source].floatCount / height)
            }
        }
        let wanted = max(floats / (floatsPerRow ?? .max), (height - 1) / Self.mostBands + 1)
        return min(height, max(1, (wanted + alignment - 1) / alignment) * alignment)
    }

    /// Appends all steps of all bands.
    ///
    /// - Returns: The number of bands.
    mutating func list(bandRows: Int, _ bands: inout UniqueArray<BandStep>) throws(BackboneError) -> Int {
        let height = steps[steps.count - 1].height
        let count = (height - 1) / bandRows + 1
        for index in 0..<steps.count { steps[index].firstRow = -steps[index].targetBorder }
        for band in 0..<count {
            findEnds(last: band == count - 1 ? height : (band + 1) * bandRows)
            for index in 0..<steps.count { try bands.append(advance(index)) }
        }
        return count
    }

    /// Finds how far each step has to come, from the last step to the first.
    private mutating func findEnds(last: Int) {
        for index in 0..<steps.count { steps[index].end = steps[index].isConsumed ? 0 : last }
        for index in stride(from: steps.count - 1, through: 0, by: -1) {
            let step = steps[index]
            let aligned = (step.end + step.alignment - 1) / step.alignment * step.alignment
            let end = max(step.done, min(aligned, step.height))
            steps[index].end = end
            if step.producer >= 0 { steps[step.producer].end = max(steps[step.producer].end, step.sourceEnd(end)) }
            if step.residualProducer >= 0 {
                steps[step.residualProducer].end = max(steps[step.residualProducer].end, end)
            }
        }
    }

    private mutating func advance(_ index: Int) -> BandStep {
        let step = steps[index]
        let previousFirstRow = step.firstRow
        if step.isKeptInPart && step.end > step.done {
            let firstRow = max(step.firstRow, min(step.done, firstRowToBeRead(index)))
            steps[index].firstRow = firstRow
            let rows = step.end - firstRow + (step.end == step.height ? step.targetBorder : 0)
            steps[index].keptRows = max(step.keptRows, rows)
        }
        steps[index].done = step.end
        let isMoved = step.producer >= 0 && steps[step.producer].isKeptInPart
        return BandStep(
            start: step.done, end: step.end,
            sourceFirstRow: isMoved ? steps[step.producer].firstRow : -step.sourceBorder,
            targetFirstRow: steps[index].firstRow, previousFirstRow: previousFirstRow)
    }

    /// The first row of what a step writes that has still to be read.
    private func firstRowToBeRead(_ index: Int) -> Int {
        var row = Int.max
        for reader in index + 1..<max(index + 1, steps.count) where steps[reader].producer == index {
            let step = steps[reader]
            if step.done < step.height { row = min(row, step.done * step.window.stride - step.window.padding) }
        }
        return row
    }

    /// Has the tensors keep no more rows than it takes.
    func shrink(_ tensors: inout UniqueArray<PlanTensor>) {
        for index in 0..<steps.count where steps[index].isKeptInPart {
            tensors[steps[index].target].keep(rows: max(steps[index].keptRows, 2 * steps[index].targetBorder + 1))
        }
    }
}

extension BandPlanner.Step {
    fileprivate init(_ plan: borrowing Plan, _ step: PlanStep) {
        source = step.source ?? -1
        target = step.target ?? -1
        height = plan.tensors[target >= 0 ? target : source].height
        sourceHeight = source < 0 ? 0 : plan.tensors[source].height
        targetBorder = target < 0 ? 0 : plan.tensors[target].border
        sourceBorder = source < 0 ? 0 : plan.tensors[source].border
        window = step.window
        alignment = step.rowsTogether
    }
}

extension Plan {
    /// Whether a tensor is written and read by steps of a section alone, and nowhere added.
    fileprivate func isUsedBySourcesAlone(_ tensor: Int, in section: PlanSection) -> Bool {
        for index in 0..<steps.count {
            let step = steps[index]
            if step.residual == tensor { return false }
            let isInside = index >= section.firstStep && index < section.endStep
            if !isInside && (step.source == tensor || step.target == tensor) { return false }
        }
        return true
    }
}
