/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/* What the types promise, to the compiler. */

#include <backbone.hpp>

#include <type_traits>
#include <utility>
#include <vector>

template <class T, class U>
constexpr bool converts = std::is_convertible_v<T, U>;
using Net = backbone::Backbone;

template <class T>
constexpr bool only_moves = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                            !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(only_moves<Net> && only_moves<backbone::Report> && only_moves<backbone::Features>);
static_assert(only_moves<backbone::Tape> && only_moves<backbone::Optimizer>);
static_assert(std::is_copy_constructible_v<backbone::MismatchError>, "exceptions must be copyable");
static_assert(!std::is_polymorphic_v<Net> && !std::is_polymorphic_v<backbone::Report>);
static_assert(sizeof(backbone::Tensor) == sizeof(backbone_tensor));
static_assert(sizeof(backbone::Options) == sizeof(backbone_options));
static_assert(sizeof(backbone::LoadOptions) == sizeof(backbone_load_options));
static_assert(sizeof(backbone::TapeOptions) == sizeof(backbone_tape_options));
static_assert(sizeof(backbone::OptimizerOptions) == sizeof(backbone_optimizer_options));
static_assert(sizeof(backbone::Tape) == sizeof(void *) && sizeof(backbone::Optimizer) == sizeof(void *));
static_assert(sizeof(backbone::Report) == sizeof(void *) && sizeof(backbone::Text) == sizeof(void *));
static_assert(!std::is_default_constructible_v<backbone> && !std::is_destructible_v<backbone>);

// What is written may be read, and not the reverse; an output is float32.
static_assert(converts<backbone::Tensor, backbone::ConstTensor> && !converts<backbone::ConstTensor, backbone::Tensor>);
static_assert(!converts<backbone::Pixels, backbone::ConstTensor> && !converts<backbone::Pixels, backbone::Tensor>);
static_assert(converts<std::vector<backbone::Tensor> &, backbone::Span<const backbone::Tensor>>);
static_assert(!converts<std::vector<backbone::ConstTensor> &, backbone::Span<const backbone::Tensor>>);
static_assert(!converts<const std::vector<float> &, backbone::Span<float>>);
static_assert(std::is_same_v<decltype(std::declval<backbone::ConstTensor &>()(0, 0, 0, 0)), const float &>);
static_assert(std::is_same_v<decltype(std::declval<const backbone::Features &>()[0]), backbone::ConstTensor>);
static_assert(std::is_same_v<decltype(std::declval<const Net &>().c()), const ::backbone *>);

template <class T, class = void>
constexpr bool can_forward = false;
template <class T>
using Forwarded = decltype(std::declval<T &>().forward(std::declval<backbone::Pixels>()));
template <class T>
constexpr bool can_forward<T, std::void_t<Forwarded<T>>> = true;
static_assert(can_forward<Net> && !can_forward<const Net>, "a forward pass in training mode changes the network");
