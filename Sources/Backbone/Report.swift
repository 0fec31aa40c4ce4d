// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CBackbone
import Checkpoints
import Runtime

/// The report of a handle.
private func report(_ handle: OpaquePointer?) throws(BackboneError) -> UnsafePointer<LoadReport> {
    UnsafePointer(try require(handle, "report"))
}

private func nameClass(_ value: Int32) throws(BackboneError) -> LoadReport.NameClass {
    guard let nameClass = LoadReport.NameClass(rawValue: value) else {
        throw BackboneError(.invalidArgument, "name_class is \(value), expected 0 (loaded) to 4 (mismatched)")
    }
    return nameClass
}

@_cdecl("backbone_report_count") @implementation
public func backbone_report_count(
    _ report: OpaquePointer!, _ name_class: Int32, _ out: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        try require(out, "out").pointee = report.pointee.count(of: try nameClass(name_class))
    }
}

@_cdecl("backbone_report_get_entry") @implementation
public func backbone_report_get_entry(
    _ report: OpaquePointer!, _ name_class: Int32, _ index: Int, _ out: UnsafeMutablePointer<backbone_report_entry>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        let nameClass = try nameClass(name_class)
        let out = try require(out, "out")
        guard let entry = report.pointee.entry(nameClass, index) else {
            throw BackboneError(
                .invalidArgument,
                "index is \(index), expected less than \(report.pointee.count(of: nameClass)), the names of the class")
        }
        out.pointee = backbone_report_entry(
            name: entry.name, expected_ndim: entry.expectedRank, actual_ndim: entry.actualRank,
            expected_shape: eightSizes(entry.expectedShape), actual_shape: eightSizes(entry.actualShape))
    }
}

private func eightSizes(
    _ sizes: UnsafePointer<Int64>
) -> (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) {
    (sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], sizes[7])
}

@_cdecl("backbone_report_get_property") @implementation
public func backbone_report_get_property(
    _ report: OpaquePointer!, _ property: Int32, _ out: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        let out = try require(out, "out")
        guard let known = LoadReport.Property(rawValue: property) else {
            throw BackboneError(
                .invalidArgument, "property is \(property), expected 0 (container) to 14 (optimizer)")
        }
        out.pointee = report.pointee.property(known)
    }
}

@_cdecl("backbone_report_warning_count") @implementation
public func backbone_report_warning_count(
    _ report: OpaquePointer!, _ out: UnsafeMutablePointer<Int>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        try require(out, "out").pointee = report.pointee.warningCount
    }
}

@_cdecl("backbone_report_get_warning") @implementation
public func backbone_report_get_warning(
    _ report: OpaquePointer!, _ index: Int, _ out: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        let out = try require(out, "out")
        guard let warning = report.pointee.warning(index) else {
            throw BackboneError(
                .invalidArgument,
                "index is \(index), expected less than \(report.pointee.warningCount), the number of warnings")
        }
        out.pointee = warning
    }
}

@_cdecl("backbone_report_to_json") @implementation
public func backbone_report_to_json(
    _ report: OpaquePointer!, _ out: UnsafeMutablePointer<UnsafePointer<CChar>?>!
) -> backbone_status {
    status { () throws(BackboneError) in
        let report = try Backbone.report(report)
        try require(out, "out").pointee = report.pointee.jsonText
    }
}

@_cdecl("backbone_report_free") @implementation
public func backbone_report_free(_ report: OpaquePointer!) {
    guard let report else { return }
    Heap.destroy(UnsafeMutablePointer<LoadReport>(report))
}
