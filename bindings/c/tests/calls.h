/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* Calls that must succeed, and calls that must fail. It needs backbone.h, check.h and string.h. */

#define CHECK_OK(call)                                                                                         \
    do {                                                                                                       \
        backbone_status got_ = (call);                                                                         \
        CHECK(got_ == BACKBONE_STATUS_OK, "%s: %s", backbone_status_string(got_), backbone_last_error_message()); \
    } while (0)

/* The call fails with that status, and its message contains `text`: the culprit or its value. */
#define CHECK_FAILS(expected, text, call)                                                                     \
    do {                                                                                                      \
        backbone_status got_ = (call);                                                                        \
        CHECK(got_ == (expected), "%s: %s", backbone_status_string(got_), backbone_last_error_message());     \
        CHECK(got_ == BACKBONE_STATUS_OK || strstr(backbone_last_error_message(), (text)) != NULL, "says: %s", \
              backbone_last_error_message());                                                                 \
    } while (0)
