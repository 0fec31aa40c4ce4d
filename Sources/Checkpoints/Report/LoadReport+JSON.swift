// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims
import Runtime

extension LoadReport {
    /// Writes the whole report as JSON, after the last change. It is written in advance, so that returning it neither
    /// fails nor changes a report that many threads may read.
    package mutating func renderJSON() throws(BackboneError) {
        var writer = JSONWriter()
        try writer.begin("{")
        for number in 0..<Property.count {
            guard let property = Property(rawValue: Int32(number)) else { continue }
            try writer.key(property.key)
            try writer.string(self.property(property))
        }
        try writer.key("warnings")
        try writer.begin("[")
        for index in 0..<warningCount {
            if let warning = warning(index) {
                try writer.separate()
                try writer.string(warning)
            }
        }
        try writer.end("]")
        try writer.key("names")
        try writer.begin("{")
        for number in 0..<NameClass.count {
            guard let nameClass = NameClass(rawValue: Int32(number)) else { continue }
            try writer.key(nameClass.key)
            try writer.begin("[")
            for index in 0..<count(of: nameClass) {
                guard let entry = entry(nameClass, index) else { continue }
                try writer.separate()
                try writer.begin("{")
                try writer.key("name")
                try writer.string(entry.name)
                try writer.key("expected")
                try writer.shape(entry.expectedRank < 0 ? nil : entry.expected)
                try writer.key("actual")
                try writer.shape(entry.actualRank < 0 ? nil : entry.actual)
                try writer.end("}")
            }
            try writer.end("]")
        }
        try writer.end("}")
        try writer.end("}")
        json = try writer.finish()
    }

    /// The report as `renderJSON` wrote it, as a string that lives as long as the report.
    package var jsonText: UnsafePointer<CChar> {
        UnsafeRawPointer(json.elements.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: CChar.self)
    }
}

extension LoadReport.Property {
    fileprivate var key: StaticString {
        switch self {
        case .container: "container"
        case .wrapper: "wrapper"
        case .prefix: "prefix"
        case .dialect: "dialect"
        case .depth: "depth"
        case .baseChannels: "base_channels"
        case .inputChannels: "input_channels"
        case .dtype: "dtype"
        case .style: "style"
        case .inputConversion: "input_conversion"
        case .tensors: "tensors"
        case .architecture: "architecture"
        case .classes: "num_classes"
        case .assumed: "assumed"
        case .optimizer: "optimizer"
        }
    }
}

extension LoadReport.NameClass {
    fileprivate var key: StaticString {
        switch self {
        case .loaded: "loaded"
        case .missing: "missing"
        case .unexpected: "unexpected"
        case .ignorable: "ignorable"
        case .mismatched: "mismatched"
        }
    }
}
