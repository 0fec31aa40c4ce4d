/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * libbackbone from C++17: backbone.h with RAII, views and exceptions, at no run-time cost. Header only. No call copies
 * a tensor, and each does only what its C function does unless its comment says otherwise.
 *
 *     #include <backbone.hpp>
 *
 *     backbone::Options options;
 *     options.depth = 50;
 *     options.mean = backbone::imagenet_mean;
 *     options.std_dev = backbone::imagenet_std_dev;
 *     backbone::Backbone net(options);
 *     net.load_weights("resnet50.pth");
 *
 *     const backbone::Shape shape = {1, 3, height, width};
 *     backbone::Pixels image(rgb_bytes, shape, backbone::nhwc(shape));
 *     backbone::Features features = net.forward(image);
 *     float value = features[3](0, channel, y, x); // C5
 *
 * Names. The C header's handle is the type `backbone`, and a namespace cannot have the name of a type. This header
 * therefore defines that type as the scope of the C++ names; it never has an object. Write `using Net =
 * backbone::Backbone;` for shorter names; `using namespace backbone` does not compile.
 *
 * Errors. Calls that return a failure status in C throw backbone::Error here, with the status and the library's
 * message. A call that throws has changed nothing unless backbone.h says otherwise. Calls that allocate C++ memory may
 * also throw std::bad_alloc.
 *
 * Threads and lifetimes are as in backbone.h. Views (Span, Bytes, TensorView, Text) own nothing: the memory that they
 * point to must outlive the call. A moved-from owner is empty: it can be assigned to and destroyed; any other call on
 * it throws an Error with BACKBONE_STATUS_INVALID_ARGUMENT.
 *
 * Constants (BACKBONE_STAGE_C3, BACKBONE_STATUS_IO, ...) and plain structs are those of backbone.h.
 */

#ifndef BACKBONE_HPP
#define BACKBONE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "backbone.h"

/// The scope of all C++ names, see above; a C handle is a pointer to it.
struct backbone final {
    class Error;
    class MismatchError;
    struct Options;
    struct LoadOptions;
    class Report;
    class Text;
    template <class Element>
    class Span;
    class Bytes;
    template <class Element>
    class TensorView;
    class Input;
    class Shapes;
    class Features;
    struct TapeOptions;
    class Tape;
    struct Slot;
    struct OptimizerOptions;
    class Optimizer;
    class Backbone;

    /// Sizes or strides in the order N, C, H, W.
    using Shape = std::array<std::int64_t, 4>;
    /// A view of a feature's memory.
    using Tensor = TensorView<float>;
    /// A view of float32 that is only read.
    using ConstTensor = TensorView<const float>;
    /// Decoded pixels, which the network normalises with options.mean and options.std_dev.
    using Pixels = TensorView<const std::uint8_t>;

    /// For options.mean and options.std_dev: ImageNet, RGB, pixels from 0 to 255.
    static constexpr float imagenet_mean[3] = BACKBONE_IMAGENET_MEAN;
    /// Divisors for options.std_dev that go with imagenet_mean.
    static constexpr float imagenet_std_dev[3] = BACKBONE_IMAGENET_STD_DEV;

    /// Strides, in elements, of a contiguous tensor: columns innermost.
    static constexpr Shape nchw(const Shape &shape) noexcept {
        return {product(product(shape[1], shape[2]), shape[3]), product(shape[2], shape[3]), shape[3], 1};
    }

    /// Strides, in elements, of a contiguous tensor with channels innermost, as image decoders write them. For a
    /// cv::Mat only if isContinuous() is true.
    static constexpr Shape nhwc(const Shape &shape) noexcept {
        return nhwc(shape, product(shape[3], shape[1]));
    }

    /// The same for rows that may be padded: the first elements of two successive rows are `row_stride` elements apart,
    /// for a cv::Mat step1(). The next image follows the last row.
    static constexpr Shape nhwc(const Shape &shape, std::int64_t row_stride) noexcept {
        return {product(shape[2], row_stride), 1, row_stride, shape[1]};
    }

    /// The version of the library in use, "major.minor.patch"; static.
    static const char *version() noexcept { return backbone_version_string(); }

    /// BACKBONE_ABI_VERSION of the library in use.
    static std::int32_t abi_version() noexcept { return backbone_abi_version(); }

    /// The names that options.architecture accepts: backbone_architecture_name. The texts are static.
    static std::vector<const char *> architectures() {
        std::vector<const char *> names(backbone_architecture_count());
        for (std::size_t i = 0; i < names.size(); i++) names[i] = backbone_architecture_name(i);
        return names;
    }

    /// The mean cross entropy of logits (N, K, 1, 1) and N labels: backbone_cross_entropy.
    ///
    /// `gradient`, unless it is empty, receives the gradient with respect to the logits and may share their memory.
    static double cross_entropy(const ConstTensor &logits, Span<const std::int64_t> labels, const Tensor &gradient,
                                double label_smoothing = 0);

    /// The loss alone.
    static double cross_entropy(const ConstTensor &logits, Span<const std::int64_t> labels,
                                double label_smoothing = 0);

    /// Reports the content of a checkpoint without a network: backbone_inspect. Throws MismatchError as load_weights
    /// does.
    static Report inspect(Text path, const backbone_load_options &options);

    /// The same for a checkpoint in memory: backbone_inspect_memory.
    static Report inspect(Bytes checkpoint, const backbone_load_options &options);

    backbone() = delete;
    ~backbone() = delete;
    backbone(const backbone &) = delete;
    backbone &operator=(const backbone &) = delete;

private:
    static void check(backbone_status status);
    static void check(backbone_status status, backbone_report *report);

    /// Wraps around: the library refuses shapes that are too large.
    static constexpr std::int64_t product(std::int64_t a, std::int64_t b) noexcept {
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
    }
};

/* ---- Views ------------------------------------------------------------------------------------------------------ */

/// A path or name that ends with a zero: a literal, a std::string, a std::filesystem::path (POSIX). Not copied.
class backbone::Text final {
public:
    /// A C string, which must outlive the call.
    Text(const char *text) noexcept : text_(text) {}

    /// Any object with c_str(), which must outlive the call.
    template <class String, class = std::enable_if_t<
                                std::is_convertible_v<decltype(std::declval<const String &>().c_str()), const char *>>>
    Text(const String &text) noexcept : text_(text.c_str()) {}

    /// The text as a C string.
    const char *c_str() const noexcept { return text_; }

private:
    const char *text_;
};

/// `size` contiguous elements, like C++20's std::span; converts from any contiguous array or container.
template <class Element>
class backbone::Span final {
public:
    /// `size` elements from `data` on.
    Span(Element *data, std::size_t size) noexcept : data_(data), size_(size) {}

    /// All elements of an array or container, which must outlive the span.
    template <class Container, class = std::enable_if_t<std::is_convertible_v<
                                   std::remove_pointer_t<decltype(std::data(std::declval<Container &>()))> (*)[],
                                   Element (*)[]>>>
    Span(Container &&container) noexcept : data_(std::data(container)), size_(std::size(container)) {}

    /// The first element; may be null if size() is 0.
    Element *data() const noexcept { return data_; }
    /// The number of elements.
    std::size_t size() const noexcept { return size_; }
    /// One element; the index is not checked.
    Element &operator[](std::size_t index) const noexcept { return data_[index]; }
    /// The first element, for range-based loops.
    Element *begin() const noexcept { return data_; }
    /// One past the last element.
    Element *end() const noexcept { return data_ + size_; }

private:
    Element *data_;
    std::size_t size_;
};

/// A whole file in memory: std::uint8_t or std::byte in any array or container, or `size` bytes at `data`.
///
/// Containers of char do not convert: they are paths.
class backbone::Bytes final {
public:
    /// `size` bytes from `data` on.
    Bytes(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
    /// The bytes of a span.
    Bytes(Span<const std::uint8_t> bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}
    /// The bytes of a span of std::byte.
    Bytes(Span<const std::byte> bytes) noexcept : Bytes(bytes.data(), bytes.size()) {}

    /// All bytes of a container, which must outlive the call.
    template <class Container,
              class = std::enable_if_t<std::is_convertible_v<Container &, Span<const std::uint8_t>> ||
                                       std::is_convertible_v<Container &, Span<const std::byte>>>>
    Bytes(const Container &bytes) noexcept : Bytes(std::data(bytes), std::size(bytes)) {}

    /// The first byte.
    const void *data() const noexcept { return data_; }
    /// The number of bytes.
    std::size_t size() const noexcept { return size_; }

private:
    const void *data_;
    std::size_t size_;
};

/// A backbone_tensor with the type of its elements: float, const float or const uint8_t in the caller's memory.
///
/// It copies like a pointer: a const view of float still allows writes to the elements.
template <class Element>
class backbone::TensorView final {
    static_assert(std::is_same_v<std::remove_const_t<Element>, float> ||
                      std::is_same_v<std::remove_const_t<Element>, std::uint8_t>,
                  "tensors hold float or std::uint8_t");

public:
    /// An empty view: no memory, all sizes 0.
    TensorView() noexcept : TensorView(nullptr, Shape{}, Shape{}) {}

    /// A contiguous tensor in the order N, C, H, W.
    TensorView(Element *data, const Shape &shape) noexcept : TensorView(data, shape, nchw(shape)) {}

    /// Element (n, c, h, w) is at data + n*strides[0] + c*strides[1] + h*strides[2] + w*strides[3].
    TensorView(Element *data, const Shape &shape, const Shape &strides) noexcept : tensor_() {
        // The C struct describes both outputs and inputs, which are only read.
        tensor_.data = const_cast<std::remove_const_t<Element> *>(data);
        tensor_.dtype = sizeof(Element) == 1 ? BACKBONE_DTYPE_UINT8 : BACKBONE_DTYPE_FLOAT32;
        for (std::size_t i = 0; i < 4; i++) {
            tensor_.shape[i] = shape[i];
            tensor_.strides[i] = strides[i];
        }
    }

    /// Writable views convert to read-only ones.
    template <class Other, class = std::enable_if_t<std::is_same_v<const Other, Element>>>
    TensorView(const TensorView<Other> &other) noexcept : tensor_(other.c()) {}

    /// The element (0, 0, 0, 0).
    Element *data() const noexcept { return static_cast<Element *>(tensor_.data); }
    /// Sizes in the order N, C, H, W.
    Shape shape() const noexcept { return array(tensor_.shape); }
    /// Distances between neighbours, in elements, in the order N, C, H, W.
    Shape strides() const noexcept { return array(tensor_.strides); }

    /// One element; the indices are not checked.
    Element &operator()(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w) const noexcept {
        const auto *s = tensor_.strides;
        return data()[n * s[0] + c * s[1] + h * s[2] + w * s[3]];
    }

    /// The tensor as C describes it.
    const backbone_tensor &c() const noexcept { return tensor_; }

private:
    static Shape array(const std::int64_t (&sizes)[4]) noexcept { return {sizes[0], sizes[1], sizes[2], sizes[3]}; }

    backbone_tensor tensor_;
};

/// The input of a forward pass: any tensor view, or a C backbone_tensor.
class backbone::Input final {
public:
    /// Any view; it must outlive the call.
    template <class Element>
    Input(const TensorView<Element> &view) noexcept : tensor_(&view.c()) {}
    /// C's description of a tensor, which must outlive the call.
    Input(const backbone_tensor &tensor) noexcept : tensor_(&tensor) {}

    /// The tensor as C describes it.
    const backbone_tensor *c() const noexcept { return tensor_; }

    /// N, C, H, W.
    Shape shape() const noexcept {
        return {tensor_->shape[0], tensor_->shape[1], tensor_->shape[2], tensor_->shape[3]};
    }

private:
    const backbone_tensor *tensor_;
};

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

/// A failed library call. what() is its message and names the argument, file or tensor at fault.
class backbone::Error : public std::runtime_error {
public:
    /// An error with its status and the library's message.
    Error(backbone_status status, const char *message) : std::runtime_error(message), status_(status) {}

    /// BACKBONE_STATUS_INVALID_ARGUMENT ..., never BACKBONE_STATUS_OK.
    backbone_status status() const noexcept { return status_; }

private:
    backbone_status status_;
};

/* ---- Options ---------------------------------------------------------------------------------------------------- */

/// backbone_options with the defaults; set `depth`, which is 50, to 0 if `architecture` selects the network.
///
/// The memory that `mean`, `std_dev`, `architecture` and `block_widths` point to must live until the network is
/// created.
struct backbone::Options : backbone_options {
    Options() : backbone_options() { check(backbone_options_init(this, sizeof(backbone_options))); }
};

/// backbone_load_options with the defaults. The memory that its pointers point to must live until the load returns.
struct backbone::LoadOptions : backbone_load_options {
    LoadOptions() : backbone_load_options() { check(backbone_load_options_init(this, sizeof(backbone_load_options))); }
};

/* ---- The load report -------------------------------------------------------------------------------------------- */

/// The result of a load. Its texts live as long as the report, which may outlive the network.
class backbone::Report final {
public:
    /// Takes ownership of a C report, which may be null.
    explicit Report(backbone_report *report = nullptr) noexcept : report_(report) {}

    /// The number of names in a class: BACKBONE_REPORT_LOADED, ..._MISSING, ...
    std::size_t count(std::int32_t name_class) const {
        std::size_t count = 0;
        check(backbone_report_count(c(), name_class, &count));
        return count;
    }

    /// Name `index` of a class with its shapes in the network and in the file.
    backbone_report_entry entry(std::int32_t name_class, std::size_t index) const {
        backbone_report_entry entry;
        check(backbone_report_get_entry(c(), name_class, index, &entry));
        return entry;
    }

    /// A property as text: BACKBONE_REPORT_CONTAINER, ..._DIALECT, ...
    const char *property(std::int32_t property) const {
        const char *text = nullptr;
        check(backbone_report_get_property(c(), property, &text));
        return text;
    }

    /// The number of warnings: reasons to doubt that the network computes what was trained.
    std::size_t warning_count() const {
        std::size_t count = 0;
        check(backbone_report_warning_count(c(), &count));
        return count;
    }

    /// Warning `index`, as a line of text.
    const char *warning(std::size_t index) const {
        const char *text = nullptr;
        check(backbone_report_get_warning(c(), index, &text));
        return text;
    }

    /// The whole report as a JSON object.
    const char *json() const {
        const char *text = nullptr;
        check(backbone_report_to_json(c(), &text));
        return text;
    }

    /// The report, still owned by this object; null if this object has no report.
    const backbone_report *c() const noexcept { return report_.get(); }

private:
    struct Free {
        void operator()(backbone_report *report) const noexcept { backbone_report_free(report); }
    };

    std::unique_ptr<backbone_report, Free> report_;
};

/// BACKBONE_STATUS_MISMATCH of a load: an intact checkpoint does not fit the network; the report shows where.
class backbone::MismatchError final : public Error {
public:
    /// An error of BACKBONE_STATUS_MISMATCH with its report.
    MismatchError(const char *message, Report report)
        : Error(BACKBONE_STATUS_MISMATCH, message), report_(std::make_shared<const Report>(std::move(report))) {}

    /// The load report, which names every mismatch.
    const Report &report() const noexcept { return *report_; }

private:
    // Shared because an exception must be copyable.
    std::shared_ptr<const Report> report_;
};

inline void backbone::check(backbone_status status) {
    if (status != BACKBONE_STATUS_OK) throw Error(status, backbone_last_error_message());
}

/// As above, for calls that may give a report with BACKBONE_STATUS_MISMATCH. Takes the report only to throw it.
inline void backbone::check(backbone_status status, backbone_report *report) {
    if (status == BACKBONE_STATUS_MISMATCH && report != nullptr) {
        throw MismatchError(backbone_last_error_message(), Report(report));
    }
    check(status);
}

inline backbone::Report backbone::inspect(Text path, const backbone_load_options &options = LoadOptions()) {
    backbone_report *report = nullptr;
    const backbone_status status = backbone_inspect(path.c_str(), &options, &report);
    check(status, report);
    return Report(report);
}

inline backbone::Report backbone::inspect(Bytes checkpoint, const backbone_load_options &options = LoadOptions()) {
    backbone_report *report = nullptr;
    const backbone_status status = backbone_inspect_memory(checkpoint.data(), checkpoint.size(), &options, &report);
    check(status, report);
    return Report(report);
}

/* ---- Features --------------------------------------------------------------------------------------------------- */

/// The shapes of the outputs, one for each bit of options.out_stages: C1, C2 to C5, pooled, logits.
class backbone::Shapes final {
public:
    /// Room for the shapes of `count` outputs, at most 7.
    explicit Shapes(std::size_t count) noexcept : shapes_(), count_(count) {}

    /// The number of outputs.
    std::size_t size() const noexcept { return count_; }
    /// The shape of one output; the index is not checked.
    Shape &operator[](std::size_t output) noexcept { return shapes_[output]; }
    /// The shape of one output; the index is not checked.
    const Shape &operator[](std::size_t output) const noexcept { return shapes_[output]; }
    /// The shape of the first output, for range-based loops.
    const Shape *begin() const noexcept { return shapes_.data(); }
    /// One past the last shape.
    const Shape *end() const noexcept { return shapes_.data() + count_; }
    /// All sizes one after another, as backbone_output_shapes writes them.
    std::int64_t *data() noexcept { return shapes_[0].data(); }

private:
    std::array<Shape, 7> shapes_;
    std::size_t count_;
};

/// Outputs with their memory, NCHW, in the order of Shapes.
///
/// Pooled and logits have shape (N, C, 1, 1): value `c` of image `n` is features[i](n, c, 0, 0).
class backbone::Features final {
public:
    Features() noexcept = default;
    /// Moves the memory here from another object, whose views must not be used then.
    Features(Features &&) noexcept = default;
    /// Moves the memory here from another object, whose views must not be used then.
    Features &operator=(Features &&) noexcept = default;
    // The views point into the memory.
    Features(const Features &) = delete;
    Features &operator=(const Features &) = delete;

    /// The number of outputs.
    std::size_t size() const noexcept { return views_.size(); }
    /// One output; the index is not checked.
    Tensor operator[](std::size_t output) noexcept { return views_[output]; }
    /// One output, read only; the index is not checked.
    ConstTensor operator[](std::size_t output) const noexcept { return views_[output]; }

    /// For calls that write into the caller's memory.
    Span<const Tensor> outputs() noexcept { return views_; }

    /// Makes room for features of these shapes; allocates only if the memory is too small.
    void resize(const Shapes &shapes) {
        std::size_t total = 0;
        for (const Shape &shape : shapes) total += element_count(shape);
        views_.resize(shapes.size());
        memory_.resize(total);
        float *next = memory_.data();
        for (std::size_t i = 0; i < shapes.size(); i++) {
            views_[i] = Tensor(next, shapes[i]);
            next += element_count(shapes[i]);
        }
    }

private:
    // The size in bytes of the library's shapes fits into an int64_t.
    static std::size_t element_count(const Shape &shape) noexcept {
        return static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3]);
    }

    std::vector<float> memory_;
    std::vector<Tensor> views_;
};

/* ---- Training --------------------------------------------------------------------------------------------------- */

/// backbone_tape_options with the defaults.
struct backbone::TapeOptions : backbone_tape_options {
    TapeOptions() : backbone_tape_options() { check(backbone_tape_options_init(this, sizeof(backbone_tape_options))); }
};

/// The data that a forward pass keeps for the backward pass. Owns a C tape; may be destroyed before or after its
/// network.
class backbone::Tape final {
public:
    /// An empty tape for one network.
    explicit Tape(const Backbone &net, const backbone_tape_options &options = TapeOptions());

    /// The tape, still owned by this object; null if it has been moved from.
    backbone_tape *c() noexcept { return tape_.get(); }
    /// The same, read only.
    const backbone_tape *c() const noexcept { return tape_.get(); }

private:
    struct Free {
        void operator()(backbone_tape *tape) const noexcept { backbone_tape_free(tape); }
    };

    std::unique_ptr<backbone_tape, Free> tape_;
};

/// A part of the vector of all gradients; empty for an entry that is not trainable.
struct backbone::Slot {
    /// Index of the first float in the vector.
    std::size_t offset = 0;
    /// Number of floats.
    std::size_t count = 0;
};

/// backbone_optimizer_options with PyTorch's defaults for a kind: BACKBONE_OPTIMIZER_SGD or BACKBONE_OPTIMIZER_ADAMW.
///
/// The memory that `groups` points to must live until the optimiser is created.
struct backbone::OptimizerOptions : backbone_optimizer_options {
    /// The defaults of BACKBONE_OPTIMIZER_SGD or BACKBONE_OPTIMIZER_ADAMW.
    explicit OptimizerOptions(std::int32_t optimizer_kind = BACKBONE_OPTIMIZER_SGD) : backbone_optimizer_options() {
        check(backbone_optimizer_options_init(this, sizeof(backbone_optimizer_options), optimizer_kind));
    }

    /// Sets `groups` and `group_count`.
    void set_groups(Span<const backbone_parameter_group> values) noexcept {
        groups = values.data();
        group_count = values.size();
    }
};

/// SGD or AdamW with its state. Owns a C optimiser; may be destroyed before or after its network.
class backbone::Optimizer final {
public:
    /// A new optimiser for the parameters of one network that are trainable now.
    explicit Optimizer(const Backbone &net, const backbone_optimizer_options &options = OptimizerOptions());

    /// The optimiser, still owned by this object; null if it has been moved from.
    backbone_optimizer *c() noexcept { return optimizer_.get(); }
    /// The same, read only.
    const backbone_optimizer *c() const noexcept { return optimizer_.get(); }

private:
    struct Free {
        void operator()(backbone_optimizer *optimizer) const noexcept { backbone_optimizer_free(optimizer); }
    };

    std::unique_ptr<backbone_optimizer, Free> optimizer_;
};

inline double backbone::cross_entropy(const ConstTensor &logits, Span<const std::int64_t> labels,
                                      const Tensor &gradient, double label_smoothing) {
    double loss = 0;
    const backbone_tensor *out = gradient.data() == nullptr ? nullptr : &gradient.c();
    check(backbone_cross_entropy(&logits.c(), labels.data(), labels.size(), label_smoothing, &loss, out));
    return loss;
}

inline double backbone::cross_entropy(const ConstTensor &logits, Span<const std::int64_t> labels,
                                      double label_smoothing) {
    return cross_entropy(logits, labels, Tensor(), label_smoothing);
}

/* ---- The network ------------------------------------------------------------------------------------------------ */

/// A ResNet. Owns a C handle; can be moved, not copied.
///
/// Different networks are independent. On one network, forward in evaluation mode and all const functions may run on
/// many threads at once; the other functions take an exclusive lock. No other call may be in progress while it is moved
/// or destroyed.
class backbone::Backbone final {
public:
    /// Builds a network in evaluation mode, with the weights of init_weights(0) until others are written.
    explicit Backbone(const backbone_options &options = Options()) {
        ::backbone *net = nullptr;
        check(backbone_create(&options, &net));
        adopt(net);
    }

    /// Takes ownership of a C handle.
    explicit Backbone(::backbone *net) { adopt(net); }

    /// Creates the network that a checkpoint describes, and loads it: backbone_create_from_file.
    ///
    /// `report`, if not null, receives the load report. Throws MismatchError as load_weights does.
    static Backbone from_file(Text path, const backbone_options &options = Options(),
                              const backbone_load_options &load_options = LoadOptions(), Report *report = nullptr) {
        ::backbone *net = nullptr;
        backbone_report *found = nullptr;
        const backbone_status status = backbone_create_from_file(path.c_str(), &options, &load_options, &net, &found);
        return created(status, net, found, report);
    }

    /// The same with a checkpoint in memory: backbone_create_from_memory.
    static Backbone from_memory(Bytes checkpoint, const backbone_options &options = Options(),
                                const backbone_load_options &load_options = LoadOptions(), Report *report = nullptr) {
        ::backbone *net = nullptr;
        backbone_report *found = nullptr;
        const backbone_status status =
            backbone_create_from_memory(checkpoint.data(), checkpoint.size(), &options, &load_options, &net, &found);
        return created(status, net, found, report);
    }

    /// The handle, still owned by this object; null if it has been moved from.
    ::backbone *c() noexcept { return net_.get(); }
    /// The same, read only.
    const ::backbone *c() const noexcept { return net_.get(); }

    /// Releases the handle to the caller, who must free it with backbone_free.
    ::backbone *release() noexcept { return net_.release(); }

    /// The current options; `mean`, `std_dev` and `block_widths` point into the network, `architecture` to static text.
    Options options() const {
        Options options;
        check(backbone_get_options(c(), &options));
        return options;
    }

    /* ---- Weights */

    /// Sets all parameters and buffers at random, the same for the same seed on every machine: backbone_init_weights.
    void init_weights(std::uint64_t seed) { check(backbone_init_weights(c(), seed)); }

    /// Loads a checkpoint of any kind. A load that throws leaves the network as it was.
    ///
    /// Throws MismatchError, which has the report, if shapes differ, no name matches, names are missing (unless
    /// options.allow_missing), the file's network has modules that this one does not compute (unless
    /// options.ignore_modules), or, if options.strict, names are unexpected.
    Report load_weights(Text path, const backbone_load_options &options = LoadOptions()) {
        backbone_report *report = nullptr;
        const backbone_status status = backbone_load_weights_with(c(), path.c_str(), &options, &report);
        check(status, report);
        return Report(report);
    }

    /// The same with a checkpoint in memory: backbone_load_weights_from_memory.
    Report load_weights(Bytes checkpoint, const backbone_load_options &options = LoadOptions()) {
        backbone_report *report = nullptr;
        const backbone_status status =
            backbone_load_weights_from_memory(c(), checkpoint.data(), checkpoint.size(), &options, &report);
        check(status, report);
        return Report(report);
    }

    /// Writes all parameters and buffers to a file under their PyTorch names; the file's suffix selects the format.
    void save_weights(Text path) const { check(backbone_save_weights(c(), path.c_str())); }

    /// The same under the names of another project ("detectron2", ...): backbone_save_weights_with.
    void save_weights(Text path, Text names) const {
        check(backbone_save_weights_with(c(), path.c_str(), names.c_str()));
    }

    /* ---- Freezing and modes */

    /// Freezes the stem (0), the stem and the first 1 to 4 stages, or nothing (-1). A lower number unfreezes.
    void freeze(std::int32_t frozen_stages) { check(backbone_freeze(c(), frozen_stages)); }

    /// Training mode: BatchNorms outside of frozen stages use and update the statistics of the batch.
    void set_training(bool training) { check(backbone_set_training(c(), training ? 1 : 0)); }

    /// Whether the network is in training mode.
    bool training() const {
        std::int32_t training = 0;
        check(backbone_get_training(c(), &training));
        return training != 0;
    }

    /* ---- Parameters and buffers */

    /// The number of entries of the state dict, in PyTorch's order of registration.
    std::size_t entry_count() const {
        std::size_t count = 0;
        check(backbone_entry_count(c(), &count));
        return count;
    }

    /// Describes entry `index`; its name lives as long as the network.
    backbone_entry_info entry(std::size_t index) const {
        backbone_entry_info info;
        check(backbone_get_entry_info(c(), index, &info));
        return info;
    }

    /// The index of the entry with that name. Throws an Error with BACKBONE_STATUS_UNKNOWN_NAME for an unknown name.
    std::size_t find(Text name) const {
        std::size_t index = 0;
        check(backbone_find_entry(c(), name.c_str(), &index));
        return index;
    }

    /// Describes the entry with that name.
    backbone_entry_info entry(Text name) const { return entry(find(name)); }

    /// Copies entry `index` to `out`, which must have exactly its number of elements, in the order of its shape.
    void read(std::size_t index, Span<float> out) const { read_as(index, out); }
    /// Copies an entry of int64 (num_batches_tracked).
    void read(std::size_t index, Span<std::int64_t> out) const { read_as(index, out); }

    /// A copy of the entry with that name; Element must be std::int64_t for num_batches_tracked.
    template <class Element = float>
    std::vector<Element> read(Text name) const {
        const std::size_t index = find(name);
        const backbone_entry_info info = entry(index);
        std::int64_t count = 1;
        for (std::int64_t size : info.shape) count *= size;
        std::vector<Element> values(static_cast<std::size_t>(count));
        read(index, Span<Element>(values));
        return values;
    }

    /// Copies `values` to entry `index`, in the layout of read. Frozen entries can be written too.
    void write(std::size_t index, Span<const float> values) { write_as(index, values); }
    /// Writes an entry of int64 (num_batches_tracked).
    void write(std::size_t index, Span<const std::int64_t> values) { write_as(index, values); }

    /// Copies `values` to the entry with that name.
    void write(Text name, Span<const float> values) { write_as(find(name), values); }
    /// Writes the entry of int64 with that name.
    void write(Text name, Span<const std::int64_t> values) { write_as(find(name), values); }

    /* ---- Forward */

    /// The number of outputs of a forward pass: the bits of options.out_stages that the network has.
    std::size_t stage_count() const noexcept { return stage_count_; }

    /// The shapes of the outputs for an input of shape (N >= 0, in_channels, H >= 1, W >= 1).
    Shapes output_shapes(const Shape &input) const {
        Shapes shapes(stage_count_);
        check(backbone_output_shapes(c(), input.data(), shapes.data(), stage_count_));
        return shapes;
    }

    /// Computes the features of a batch into the caller's memory; see backbone_forward.
    ///
    /// `outputs` has one tensor for each of output_shapes, with any positive strides. They must not overlap each other
    /// or the input.
    void forward(Input input, Span<const Tensor> outputs) {
        check(backbone_forward(c(), input.c(), tensors(outputs), outputs.size()));
    }

    /// Computes the features into `features`, reusing its memory if it is large enough.
    void forward(Input input, Features &features) {
        features.resize(output_shapes(input.shape()));
        forward(input, features.outputs());
    }

    /// Computes the features into new memory (which C++ sets to zero first).
    Features forward(Input input) {
        Features features;
        forward(input, features);
        return features;
    }

    /// The warnings of forward and profile, each kind once; see backbone_warning_count.
    std::vector<std::string> warnings() const {
        std::size_t count = 0;
        check(backbone_warning_count(c(), &count));
        std::vector<std::string> texts;
        for (std::size_t i = 0; i < count; i++) {
            const char *text = nullptr;
            check(backbone_get_warning(c(), i, &text));
            texts.emplace_back(text);
        }
        return texts;
    }

    /// Ends the calls in progress on this network in other threads; see backbone_cancel. They throw an Error with
    /// BACKBONE_STATUS_CANCELLED. Safe in a signal handler, provided that the network is not moved or destroyed
    /// meanwhile.
    void cancel() noexcept { backbone_cancel(c()); }

    /// Computes the features and reports the time of each layer, in the order of computation; see backbone_profile.
    std::vector<backbone_layer> profile(Input input, Span<const Tensor> outputs) {
        const backbone_tensor *first = tensors(outputs);
        std::size_t count = 0;
        check(backbone_profile(c(), input.c(), first, outputs.size(), nullptr, 0, &count));
        std::vector<backbone_layer> layers(count);
        check(backbone_profile(c(), input.c(), first, outputs.size(), layers.data(), layers.size(), &count));
        return layers;
    }

    /* ---- Training */

    /// Computes the outputs of a batch as forward does, and fills the tape for backward: backbone_forward_train.
    void forward_train(Tape &tape, Input input, Span<const Tensor> outputs) {
        check(backbone_forward_train(c(), tape.c(), input.c(), tensors(outputs), outputs.size()));
    }

    /// The same into `features`, reusing its memory if it is large enough.
    void forward_train(Tape &tape, Input input, Features &features) {
        features.resize(output_shapes(input.shape()));
        forward_train(tape, input, features.outputs());
    }

    /// The same into new memory (which C++ sets to zero first).
    Features forward_train(Tape &tape, Input input) {
        Features features;
        forward_train(tape, input, features);
        return features;
    }

    /// Computes the gradients of the trainable parameters from those of the outputs: backbone_backward.
    ///
    /// `output_gradients` has one tensor for each output; an empty one, ConstTensor(), stands for zeros. `gradients`
    /// has trainable_count() floats; {nullptr, 0} if not wanted. `input_gradient`, if not null, receives the gradient
    /// with respect to the input, which the tape's options must allow. With `accumulate` the gradients are added to the
    /// values in `gradients`.
    void backward(Tape &tape, Span<const ConstTensor> output_gradients, Span<float> gradients, bool accumulate = false,
                  const Tensor *input_gradient = nullptr) {
        backward(tape, tensors(output_gradients), output_gradients.size(), gradients, accumulate, input_gradient);
    }
    /// The same with gradients in memory that may be written.
    void backward(Tape &tape, Span<const Tensor> output_gradients, Span<float> gradients, bool accumulate = false,
                  const Tensor *input_gradient = nullptr) {
        backward(tape, tensors(output_gradients), output_gradients.size(), gradients, accumulate, input_gradient);
    }

    /// Computes the gradients with respect to outputs: backbone_feature_gradients.
    ///
    /// `output_gradients` as for backward(). `feature_gradients` has as many tensors, which receive the gradients with
    /// respect to the outputs; an empty one skips its gradient.
    void feature_gradients(Tape &tape, Span<const ConstTensor> output_gradients,
                           Span<const Tensor> feature_gradients) {
        this->feature_gradients(tape, tensors(output_gradients), output_gradients.size(), feature_gradients);
    }
    /// The same with gradients in memory that may be written.
    void feature_gradients(Tape &tape, Span<const Tensor> output_gradients, Span<const Tensor> feature_gradients) {
        this->feature_gradients(tape, tensors(output_gradients), output_gradients.size(), feature_gradients);
    }

    /// The memory that a tape uses, in bytes.
    std::size_t tape_bytes(const Tape &tape) const {
        std::size_t bytes = 0;
        check(backbone_tape_bytes(c(), tape.c(), &bytes));
        return bytes;
    }

    /// Chooses which parameters outside of the frozen stages are trained: BACKBONE_TRAINABLE_*.
    void set_trainable(std::int32_t which) { check(backbone_set_trainable(c(), which)); }

    /// The total number of floats of all trainable parameters.
    std::size_t trainable_count() const {
        std::size_t count = 0;
        check(backbone_trainable_count(c(), &count));
        return count;
    }

    /// The position of entry `index` in the vector of all gradients.
    Slot trainable_slot(std::size_t index) const {
        Slot slot;
        check(backbone_trainable_slot(c(), index, &slot.offset, &slot.count));
        return slot;
    }

    /// Copies all trainable parameters to `out`, which has trainable_count() floats.
    void read_trainable(Span<float> out) const { check(backbone_read_trainable(c(), out.data(), out.size())); }

    /// A copy of all trainable parameters.
    std::vector<float> read_trainable() const {
        std::vector<float> values(trainable_count());
        read_trainable(values);
        return values;
    }

    /// Copies `values` to all trainable parameters.
    void write_trainable(Span<const float> values) {
        check(backbone_write_trainable(c(), values.data(), values.size()));
    }

    /// Makes the network use parameters in the caller's memory, which must stay valid until the network is destroyed or
    /// bound to other memory; {nullptr, 0} copies them back: backbone_bind_parameters.
    void bind_parameters(Span<float> parameters) {
        check(backbone_bind_parameters(c(), parameters.data(), parameters.size()));
    }

    /// Reports that the caller has written to all bound parameters: backbone_parameters_changed.
    void parameters_changed() { check(backbone_parameters_changed(c(), nullptr, 0)); }

    /// The same for some entries of the state dict.
    void parameters_changed(Span<const std::size_t> entries) {
        check(backbone_parameters_changed(c(), entries.data(), entries.size()));
    }

    /// Scales gradients so that their Euclidean norm is at most `max_norm`; returns the norm before.
    double clip_gradients(Span<float> gradients, double max_norm) const {
        double norm = 0;
        check(backbone_clip_gradients(c(), gradients.data(), gradients.size(), max_norm, &norm));
        return norm;
    }

    /// Updates all trainable parameters from their gradients: backbone_optimizer_step.
    ///
    /// Without `allow_not_finite`, NaN or infinite gradients throw an Error with BACKBONE_STATUS_NOT_FINITE.
    void step(Optimizer &optimizer, Span<const float> gradients, double learning_rate, bool allow_not_finite = false) {
        const std::uint32_t flags = allow_not_finite ? std::uint32_t{BACKBONE_STEP_ALLOW_NOT_FINITE} : 0;
        check(backbone_optimizer_step(c(), optimizer.c(), gradients.data(), gradients.size(), learning_rate, flags));
    }

    /// Adapts an optimiser to the parameters that are trainable now: backbone_optimizer_follow.
    void follow(Optimizer &optimizer) const { check(backbone_optimizer_follow(c(), optimizer.c())); }

    /// Writes the weights and the state of an optimiser to one file: backbone_save_training.
    void save_training(const Optimizer &optimizer, Text path, double learning_rate) const {
        check(backbone_save_training(c(), optimizer.c(), path.c_str(), learning_rate));
    }

    /// Loads a file of save_training or PyTorch: backbone_load_training. Throws MismatchError as load_weights does.
    Report load_training(Optimizer &optimizer, Text path) {
        backbone_report *report = nullptr;
        const backbone_status status = backbone_load_training(c(), optimizer.c(), path.c_str(), &report);
        check(status, report);
        return Report(report);
    }

    /* ---- Statistics of new images */

    /// Begins to collect the statistics of BatchNorms from images: backbone_statistics_begin.
    void begin_statistics() { check(backbone_statistics_begin(c())); }

    /// Adds the statistics of a batch.
    void add_statistics(Input input) { check(backbone_statistics_add(c(), input.c())); }

    /// Replaces the running statistics by the collected ones.
    void commit_statistics() { check(backbone_statistics_commit(c())); }

    /// Ends collecting and changes nothing.
    void cancel_statistics() { check(backbone_statistics_cancel(c())); }

private:
    struct Free {
        void operator()(::backbone *net) const noexcept { backbone_free(net); }
    };

    /// The result of a C function that creates and loads.
    static Backbone created(backbone_status status, ::backbone *net, backbone_report *found, Report *report) {
        check(status, found);
        Report owner(found);
        if (report != nullptr) *report = std::move(owner);
        return Backbone(net);
    }

    void adopt(::backbone *net) {
        net_.reset(net);
        for (std::uint32_t stages = options().out_stages; stages != 0; stages &= stages - 1) stage_count_++;
    }

    void backward(Tape &tape, const backbone_tensor *output_gradients, std::size_t count, Span<float> gradients,
                  bool accumulate, const Tensor *input_gradient) {
        const backbone_tensor *input = input_gradient == nullptr ? nullptr : &input_gradient->c();
        const std::uint32_t flags = accumulate ? std::uint32_t{BACKBONE_BACKWARD_ACCUMULATE} : 0;
        check(backbone_backward(c(), tape.c(), output_gradients, count, input, gradients.data(), gradients.size(),
                                flags));
    }

    void feature_gradients(Tape &tape, const backbone_tensor *output_gradients, std::size_t count,
                           Span<const Tensor> gradients) {
        // The C function has one count for both.
        if (gradients.size() != count) {
            const std::string counts = std::to_string(gradients.size()) + " feature_gradients for " +
                                       std::to_string(count) + " output_gradients; pass one for each";
            throw Error(BACKBONE_STATUS_INVALID_ARGUMENT, counts.c_str());
        }
        check(backbone_feature_gradients(c(), tape.c(), output_gradients, count, tensors(gradients)));
    }

    // An array of views is an array of the C structs that they consist of.
    template <class Element>
    static const backbone_tensor *tensors(Span<const TensorView<Element>> views) noexcept {
        using View = TensorView<Element>;
        static_assert(sizeof(View) == sizeof(backbone_tensor) && std::is_standard_layout_v<View>);
        return reinterpret_cast<const backbone_tensor *>(views.data());
    }

    // By size alone, two floats would pass for an int64_t.
    template <class Element>
    void check_type(std::size_t index) const {
        const backbone_entry_info info = entry(index);
        const bool floats = std::is_same_v<std::remove_const_t<Element>, float>;
        if (floats != (info.dtype == BACKBONE_DTYPE_FLOAT32)) {
            const char *types =
                floats ? " holds int64; pass a Span of std::int64_t" : " holds float32; pass a Span of float";
            throw Error(BACKBONE_STATUS_INVALID_ARGUMENT, (std::string(info.name) + types).c_str());
        }
    }

    template <class Element>
    void read_as(std::size_t index, Span<Element> out) const {
        check_type<Element>(index);
        check(backbone_read_entry(c(), index, out.data(), out.size() * sizeof(Element)));
    }

    template <class Element>
    void write_as(std::size_t index, Span<Element> values) {
        check_type<Element>(index);
        check(backbone_write_entry(c(), index, values.data(), values.size() * sizeof(Element)));
    }

    std::unique_ptr<::backbone, Free> net_;
    std::size_t stage_count_ = 0;
};

inline backbone::Tape::Tape(const Backbone &net, const backbone_tape_options &options) {
    backbone_tape *tape = nullptr;
    check(backbone_tape_create(net.c(), &options, &tape));
    tape_.reset(tape);
}

inline backbone::Optimizer::Optimizer(const Backbone &net, const backbone_optimizer_options &options) {
    backbone_optimizer *optimizer = nullptr;
    check(backbone_optimizer_create(net.c(), &options, &optimizer));
    optimizer_.reset(optimizer);
}

#endif /* BACKBONE_HPP */
