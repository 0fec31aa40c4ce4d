// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Kernels
import Networks
import Runtime

// Inputs on a wrong scale are easily missed: neither a checkpoint nor an image says whether they fit each other, and
// wrong features look like features. So each forward pass checks the values that it sees.
extension Session {
    /// The number of warnings of the forward passes so far.
    package var warningCount: Int { logging { $0.textCount } }

    /// A warning that `warningCount` has counted; valid and unchanged until `destroy`.
    package func warning(_ index: Int) -> UnsafePointer<CChar> { logging { $0.text(index) } }

    /// Notes the inputs that the loaded stem expects: pixels not divided by a deviation, or else inputs of deviation 1;
    /// nil if unknown, as for weights that were not loaded.
    package func noteExpectedScale(pixels: Bool?) { logging { $0.expectsPixels = pixels } }

    /// Samples the input and the features of a successful forward pass, and warns.
    func observe(_ arguments: ForwardArguments) {
        observing { log, normalization in
            let pending = log.pendingKinds
            let expectsPixels = log.expectsPixels
            let kinds = normalization.possibleWarnings(of: arguments.input.element, expectsPixels: expectsPixels)
            if kinds & pending != 0 {
                let sample = InputSample(arguments.input, normalization)
                log.warn(of: sample, arguments.input.element, normalization, expectsPixels: expectsPixels)
            }
            guard pending & ForwardWarning.featuresNotFinite.bit != 0 else { return }
            for index in 0..<network.pointee.graph.outputs.count where !arguments.outputs[index].looksFinite(count: 32)
            {
                log.add(
                    .featuresNotFinite,
                    """
                    outputs[\(index)] has values that are not finite (NaN or infinity); check the weights and the \
                    input
                    """
                )
            }
        }
    }
}

extension InputNormalization {
    /// More than any normalisation to a deviation of 1 gives, and less than the brightness of most photos.
    fileprivate static var largeReach: Float { 20 }
    /// More than pixels themselves.
    fileprivate static var hugeReach: Float { 300 }

    /// The bits of the warnings that inputs of these elements can lead to.
    fileprivate func possibleWarnings(of element: InputElement, expectsPixels: Bool?) -> Int32 {
        let isNormalized = changesValues && applies(to: element)
        var kinds: Int32 = 0
        switch element {
        case .float32:
            kinds |= ForwardWarning.inputNotFinite.bit
            if changesValues && !isNormalized { kinds |= ForwardWarning.floatsNotNormalized.bit }
            if isNormalized || expectsPixels == false { kinds |= ForwardWarning.floatsTooLarge.bit }
            if isNormalized ? isOfPixels : expectsPixels == true { kinds |= ForwardWarning.floatsTooSmall.bit }
        case .uint8:
            if isNormalized || expectsPixels == false || !isDeviationGiven { kinds |= ForwardWarning.bytesTooLarge.bit }
        }
        return kinds
    }
}

extension WarningLog {
    fileprivate func warn(
        of sample: InputSample, _ element: InputElement, _ normalization: borrowing InputNormalization,
        expectsPixels: Bool?
    ) {
        if sample.notFiniteCount > 0 {
            add(
                .inputNotFinite,
                """
                input has values that are not finite (NaN or infinity), \(sample.notFiniteCount) of \
                \(InputSample.count) sampled; check how it was made
                """
            )
        }
        if sample.isConstant { return }
        let isNormalized = normalization.changesValues && normalization.applies(to: element)
        let isHuge = isNormalized && sample.reach > InputNormalization.hugeReach
        let isLarge = isHuge || expectsPixels == false && sample.reach > InputNormalization.largeReach
        switch element {
        case .uint8:
            if isLarge {
                warnOfLargeBytes(sample, isNormalized: isNormalized, isOfPixels: normalization.isOfPixels)
            } else if !normalization.isDeviationGiven && sample.largest > InputNormalization.largeReach {
                warnOfBytesAsTheyAre(isMeanGiven: normalization.isMeanGiven, expectsPixels: expectsPixels)
            }
        case .float32 where normalization.changesValues && !isNormalized:
            warnOfFloatsNotNormalized(sample, normalization, expectsPixels: expectsPixels)
        case .float32:
            if isLarge { warnOfLargeFloats(sample, isNormalized: isNormalized) }
            if sample.isBelowPixels { warnOfSmallFloats(normalization, isNormalized, expectsPixels: expectsPixels) }
        }
    }

    private func warnOfFloatsNotNormalized(
        _ sample: InputSample, _ normalization: borrowing InputNormalization, expectsPixels: Bool?
    ) {
        if sample.smallest >= 0 && sample.largest > max(InputNormalization.largeReach, normalization.largestResult) {
            let cure: StaticString =
                normalization.isOfPixels
                ? "set normalization to 1 (all; in Python normalize=\"all\"), pass uint8, or normalise before the call"
                : "pass values from 0 to 1 and set normalization to 1 (all; in Python normalize=\"all\"), or normalise before the call"
            add(
                .floatsNotNormalized,
                """
                float32 input reaches \(rounded: sample.largest), as pixels do, but mean and std_dev were not applied: \
                they apply to uint8 inputs alone; \(cure)
                """
            )
        } else if sample.isFractionOfOne && normalization.smallestResult < -0.5 {
            let cure: StaticString =
                normalization.isOfPixels
                ? "normalise before the call, pass uint8, or pass values from 0 to 255 with normalization 1 (all; in Python normalize=\"all\")"
                : "normalise before the call, or set normalization to 1 (all; in Python normalize=\"all\")"
            add(
                .floatsNotNormalized,
                """
                float32 input has values from 0 to 1, as images do before they are normalised, but mean and std_dev \
                were not applied: they apply to uint8 inputs alone; \(cure)
                """
            )
        } else if sample.isBelowPixels {
            warnOfSmallFloats(normalization, false, expectsPixels: expectsPixels)
        }
    }

    private func warnOfLargeFloats(_ sample: InputSample, isNormalized: Bool) {
        if isNormalized {
            add(
                .floatsTooLarge,
                """
                float32 input reaches \(rounded: sample.reach) after mean and std_dev were applied, but the weights \
                seem to expect a deviation of 1; give mean and std_dev in the units of the input
                """
            )
        } else {
            add(
                .floatsTooLarge,
                """
                float32 input reaches \(rounded: sample.reach), but the loaded weights seem to expect a deviation of \
                1; set mean and std_dev with normalization 1 (all; in Python normalize=\"all\"), or normalise before \
                the call
                """
            )
        }
    }

    private func warnOfSmallFloats(
        _ normalization: borrowing InputNormalization, _ isNormalized: Bool, expectsPixels: Bool?
    ) {
        if isNormalized && normalization.isOfPixels {
            add(
                .floatsTooSmall,
                """
                float32 input seems to be normalised already, or to have values from 0 to 1, but mean and std_dev for \
                pixels from 0 to 255 were applied; pass pixels, or set normalization to 0 (uint8)
                """
            )
        } else if !isNormalized && expectsPixels == true {
            add(
                .floatsTooSmall,
                """
                float32 input has values around 0 or from 0 to 1, but the loaded weights seem to expect pixels minus \
                their mean, not divided; do not divide by 255 or std_dev
                """
            )
        }
    }

    /// Warns of pixels for a network without deviations whose weights do not show that it was trained so.
    private func warnOfBytesAsTheyAre(isMeanGiven: Bool, expectsPixels: Bool?) {
        if expectsPixels != true {
            add(
                .bytesTooLarge,
                """
                uint8 input is used as it is, since std_dev is not set; set mean and std_dev (ImageNet: \
                BACKBONE_IMAGENET_MEAN and BACKBONE_IMAGENET_STD_DEV), or std_dev to 1 if the network was trained so
                """
            )
        } else if !isMeanGiven {
            add(
                .bytesTooLarge,
                """
                uint8 input is used as it is, since mean is not set, but the loaded weights seem to expect pixels \
                minus their mean; set mean (ImageNet: BACKBONE_IMAGENET_MEAN, for BGR in reverse), or mean to 0 if the \
                network was trained so
                """
            )
        }
    }

    private func warnOfLargeBytes(_ sample: InputSample, isNormalized: Bool, isOfPixels: Bool) {
        if !isNormalized {
            add(
                .bytesTooLarge,
                """
                uint8 input has no mean and std_dev, but the loaded weights seem to expect a deviation of 1; set them \
                (ImageNet: BACKBONE_IMAGENET_MEAN and BACKBONE_IMAGENET_STD_DEV)
                """
            )
        } else if isOfPixels {
            add(
                .bytesTooLarge,
                """
                uint8 input reaches \(rounded: sample.reach) after mean and std_dev were applied, but the loaded \
                weights seem to expect a deviation of 1; set std_dev (ImageNet: BACKBONE_IMAGENET_STD_DEV)
                """
            )
        } else {
            add(
                .bytesTooLarge,
                """
                uint8 input reaches \(rounded: sample.reach) after mean and std_dev were applied, which must be for \
                pixels from 0 to 255; multiply those for values from 0 to 1 by 255
                """
            )
        }
    }
}

extension Message.Interpolation {
    /// A finite number, rounded to a whole one.
    fileprivate mutating func appendInterpolation(rounded value: Float) {
        // A number that overflows Int counts as the largest.
        appendInterpolation(Int(exactly: value.rounded()) ?? .max)
    }
}
