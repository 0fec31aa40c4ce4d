// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 The libbackbone authors

import CShims

/// A plain thread that computes a number.
final class TestThread {
    private var thread = pthread_t()
    private let body: Body

    private final class Body {
        let body: @Sendable () -> Int
        var result = -1

        init(_ body: @escaping @Sendable () -> Int) { self.body = body }
    }

    struct CouldNotStart: Error {}

    init(_ body: @escaping @Sendable () -> Int) throws {
        self.body = Body(body)
        let error = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
                body.result = body.body()
                return nil
            }, Unmanaged.passUnretained(self.body).toOpaque())
        guard error == 0 else { throw CouldNotStart() }
    }

    /// Waits for the thread and gives its number.
    func join() -> Int {
        pthread_join(thread, nil)
        return body.result
    }
}
