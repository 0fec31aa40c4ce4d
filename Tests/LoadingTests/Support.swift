// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import Runtime

extension BackboneError {
    var text: String {
        var buffer = [CChar](repeating: 0, count: Message.capacity + 1)
        message.write(to: &buffer)
        return String(decoding: buffer.prefix(message.count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
