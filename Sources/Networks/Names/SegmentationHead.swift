// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

/// The heads of segmentation networks of torchvision (`classifier`, `aux_classifier`) and mmsegmentation (`decode_head`,
/// `auxiliary_head`): the only sign in a file that its backbone may have been dilated.
package enum SegmentationHead {
    /// Whether a name of a file is in such a head: begins with it, or has it after one or two parts ("module.").
    package static func contains(_ name: Bytes) -> Bool {
        var rest = name
        for _ in 0..<3 where !rest.isEmpty {
            if rest.hasPrefix("classifier.") || rest.hasPrefix("aux_classifier.") || rest.hasPrefix("decode_head.")
                || rest.hasPrefix("auxiliary_head.")
            {
                return true
            }
            _ = rest.takePart(before: UInt8(ascii: "."))
        }
        return false
    }

    /// The doubt that it raises.
    package static var doubt: StaticString {
        """
        as in networks for segmentation: most of them are trained with dilated layer3 and layer4, which the weights do \
        not record; set output_stride to 8 for that
        """
    }
}
