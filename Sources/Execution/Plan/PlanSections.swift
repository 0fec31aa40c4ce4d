// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

/// Consecutive steps that are done for some images, or for a band of rows of one image, before they are done for the next
/// ones, so that what one step writes is still in the cache when the next one reads it, and weights are read for as many
/// pixels as possible.
package struct PlanSection: BitwiseCopyable {
    package let firstStep: Int
    package let endStep: Int
    /// At least 1; 1 for a section in bands.
    package let imagesTogether: Int
    /// 1 where each step computes all rows.
    package var bandCount = 1
    /// The index of the first step of the first band in `Plan.bands`; each band has all steps.
    var firstBand = 0

    var stepCount: Int { endStep - firstStep }
}

/// Consecutive steps of one segment of the graph, which the planner does not cut unless in bands of rows.
private struct PlanPiece: BitwiseCopyable {
    let firstStep: Int
    let endStep: Int
    /// The size of what the last of them gives.
    let height: Int
    let width: Int

    func hasSize(of other: PlanPiece) -> Bool { height == other.height && width == other.width }
}

extension Plan {
    /// A section for all consecutive segments that give images of one size. Where one image is too much for the cache, a
    /// section for each segment, in bands if the weights, which are read for each band anew, leave room for one.
    mutating func addSections(_ program: borrowing Program, _ planner: Planner) throws(BackboneError) {
        try addSections(of: pieces(program), planner)
    }

    private mutating func addSections(
        of pieces: borrowing UniqueArray<PlanPiece>, _ planner: Planner
    ) throws(BackboneError) {
        var first = 0
        while first < pieces.count {
            var end = first + 1
            while end < pieces.count && pieces[end].hasSize(of: pieces[first]) { end += 1 }
            let steps = pieces[first].firstStep..<pieces[end - 1].endStep
            var largest = 1
            for step in steps { largest = max(largest, floatCount(of: self.steps[step])) }
            if largest <= planner.cachedFloats || !addsInPlace {
                try sections.append(
                    PlanSection(
                        firstStep: steps.lowerBound, endStep: steps.upperBound,
                        imagesTogether: max(1, planner.cachedFloats / largest)))
            } else {
                for piece in first..<end { try addBands(pieces[piece].firstStep..<pieces[piece].endStep, planner) }
            }
            first = end
        }
    }

    private func pieces(_ program: borrowing Program) throws(BackboneError) -> UniqueArray<PlanPiece> {
        var pieces = UniqueArray<PlanPiece>()
        var first = 0
        while first < steps.count {
            var end = first + 1
            while end < steps.count && program.steps[end].segment == program.steps[first].segment { end += 1 }
            var last = 0
            for step in first..<end { last = steps[step].target ?? last }
            try pieces.append(
                PlanPiece(
                    firstStep: first, endStep: end, height: tensors[last].height, width: tensors[last].width))
            first = end
        }
        return pieces
    }

    private mutating func addBands(_ steps: Range<Int>, _ planner: Planner) throws(BackboneError) {
        var section = PlanSection(firstStep: steps.lowerBound, endStep: steps.upperBound, imagesTogether: 1)
        if isLocal(section) && weightCount(of: section, planner) <= planner.cachedFloats {
            section.firstBand = bands.count
            var bandPlanner = try BandPlanner(self, section)
            let rows = bandPlanner.rows(floats: planner.cachedFloats / 4 * 3, self)
            section.bandCount = try bandPlanner.list(bandRows: rows, &bands)
            bandPlanner.shrink(&tensors)
        }
        try sections.append(section)
    }

    /// Whether bands of rows can be computed one after the other: rows that other steps still want are not replaced.
    private func isLocal(_ section: PlanSection) -> Bool {
        for index in section.firstStep..<section.endStep {
            let step = steps[index]
            if !step.kind.isLocal || step.source != nil && step.source == step.target { return false }
        }
        return true
    }

    /// Floats of the weights of a section, as they are packed.
    private func weightCount(of section: PlanSection, _ planner: Planner) -> Int {
        var count = 0
        for index in section.firstStep..<section.endStep {
            guard let step = steps[index].convolution else { continue }
            // Whatever the size of the image.
            let shape = ConvolutionShape(step.convolution.definition, height: 1, width: 1)
            count += planner.kernels[step.algorithm, shape].packedCount(shape)
        }
        return count
    }

    /// Floats of tensors that a step reads and writes for one image.
    private func floatCount(of step: PlanStep) -> Int {
        var count: Int? = 0
        if let source = step.source { count = checkedSum(count, tensors[source].floatCount) }
        if let target = step.target { count = checkedSum(count, tensors[target].floatCount) }
        if let residual = step.residual, residual != step.target {
            count = checkedSum(count, tensors[residual].floatCount)
        }
        return count ?? .max
    }

    /// The rows of a step in one band of its section; all its rows without bands.
    func rows(of step: Int, _ section: PlanSection, band: Int) -> BandStep {
        if section.bandCount > 1 {
            return bands[section.firstBand + band * section.stepCount + step - section.firstStep]
        }
        let source = steps[step].source
        let target = steps[step].target
        let height = (target ?? source).map { tensors[$0].height } ?? 0
        let targetFirstRow = target.map { tensors[$0].firstRow } ?? 0
        return BandStep(
            start: 0, end: height, sourceFirstRow: source.map { tensors[$0].firstRow } ?? 0,
            targetFirstRow: targetFirstRow, previousFirstRow: targetFirstRow)
    }
}
