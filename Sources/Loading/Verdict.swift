// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Checkpoints
import Networks
import Runtime

/// Decides whether a checkpoint may be loaded, for every way to load.
struct Verdict {
    let isStrict: Bool
    let allowsMissing: Bool
    let ignoresModules: Bool

    init(_ request: LoadRequest) {
        isStrict = request.isStrict
        allowsMissing = request.allowsMissing
        ignoresModules = request.ignoresModules
    }

    /// - Throws: `mismatch` that names the culprit, if the network would compute other features than the trained ones:
    ///   modules that it does not have, shapes that differ, entries that the file lacks; and for unexpected names if
    ///   the load is strict.
    func check(
        _ report: borrowing LoadReport, _ outline: FileOutline, _ foreign: ForeignModules.Finding?,
        _ stateDict: borrowing StateDict
    ) throws(BackboneError) {
        let finding = ignoresModules ? nil : foreign
        // PaddleDetection: only the names of the deep stem are known, so its files are never loaded.
        let isDeepStem = finding != nil && Dialect(of: stateDict) == .paddleDetection
        if report.count(of: .mismatched) == 0 && !isDeepStem { try checkLoaded(report) }
        if let finding, finding.kind.isCertain { throw self.foreign(finding, report, stateDict) }
        try checkShapes(report)
        if let finding { throw self.foreign(finding, report, stateDict) }
        if !allowsMissing { try checkMissing(report, outline) }
        if isStrict { try checkUnexpected(report) }
    }

    private func foreign(
        _ finding: ForeignModules.Finding, _ report: borrowing LoadReport, _ stateDict: borrowing StateDict
    ) -> BackboneError {
        let others: Message = finding.count > 1 ? " and \(finding.count - 1) more are" : " is"
        // If shapes differ too, the rest cannot be loaded.
        var advice: StaticString = ""
        if report.count(of: .mismatched) == 0 {
            advice =
                allowsMissing || report.count(of: .missing) == 0
                ? ". To load the rest anyway, set ignore_modules"
                : ". To load the rest anyway, set ignore_modules and set allow_missing"
        }
        return BackboneError(
            .mismatch,
            """
            \(path: report.location): '\(stateDict.nameInFile(finding.tensor))'\(others) not part of this network: \
            \(finding.kind.words)\(advice)
            """)
    }

    private func checkShapes(_ report: borrowing LoadReport) throws(BackboneError) {
        guard let first = report.entry(.mismatched, 0) else { return }
        let count = report.count(of: .mismatched)
        let others: Message = count > 1 ? "; \(count - 1) more differ" : ""
        throw BackboneError(
            .mismatch,
            """
            \(path: report.location): tensor '\(first.name)' has shape \(shape: first.actual), expected \
            \(shape: first.expected)\(others); create the network from the file, or with the file's options
            """)
    }

    private func checkLoaded(_ report: borrowing LoadReport) throws(BackboneError) {
        guard report.count(of: .loaded) == 0 else { return }
        var message: Message = "\(path: report.location): none of its names belongs to the network"
        if let found = report.entry(.unexpected, 0), let wanted = report.entry(.missing, 0) {
            message = "\(message): the first is '\(found.name)', expected '\(wanted.name)'"
        }
        throw BackboneError(.mismatch, "\(message); pass a checkpoint of a ResNet, or rename its entries")
    }

    private func checkMissing(
        _ report: borrowing LoadReport, _ outline: FileOutline
    ) throws(BackboneError) {
        guard let first = report.entry(.missing, 0) else { return }
        let hint: Message
        if let shard = shardHint(report.location) {
            hint = shard
        } else if outline.network.hasNorms && !outline.network.hasStatistics {
            hint = """
                its norms have no running statistics, like GroupNorm; build a network with GroupNorm, such as \
                resnet50_gn, or create it from the file. Folded BatchNorms need running_mean 0 and running_var 1 - \
                norm_eps
                """
        } else if !outline.network.hasNorms && !outline.network.hasStatistics {
            hint =
                """
                it has no norms, perhaps because they were folded into the convolutions; save the network before \
                folding
                """
        } else {
            hint = "set allow_missing to keep the network's values for them"
        }
        throw BackboneError(
            .mismatch,
            """
            \(path: report.location): names of the network are missing: '\(first.name)'\(others(report, .missing)); \
            \(hint)
            """)
    }

    /// The number of names of a class after the first.
    private func others(_ report: borrowing LoadReport, _ nameClass: LoadReport.NameClass) -> Message {
        let count = report.count(of: nameClass)
        return count > 1 ? " and \(count - 1) more" : ""
    }

    private func checkUnexpected(_ report: borrowing LoadReport) throws(BackboneError) {
        guard let first = report.entry(.unexpected, 0) else { return }
        throw BackboneError(
            .mismatch,
            """
            \(path: report.location): names do not belong to the network: '\(first.name)'\
            \(others(report, .unexpected)); set strict to 0 to ignore them
            """)
    }
}
