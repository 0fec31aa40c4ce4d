/* SPDX-License-Identifier: Apache-2.0
 * Copyright 2026 The libbackbone authors */

/*
 * Trains a classifier on a folder of images, from a checkpoint of any classifier or backbone.
 *
 *     cc -std=c99 finetune.c folders.c images.c -lbackbone -ljpeg -lm -o finetune
 *     ./finetune flowers --weights resnet50.pth --output trained
 */

#define _XOPEN_SOURCE 700 /* clock_gettime, M_PI */

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "backbone.h"
#include "folders.h"
#include "images.h"

static const char usage[] =
    "Usage: finetune FOLDER --weights FILE [options]\n"
    "       finetune FOLDER --resume OUTPUT/epoch-N.pth [options]\n"
    "\n"
    "Trains a classifier. FOLDER has one folder of JPEGs per class. After each epoch the program writes\n"
    "OUTPUT/epoch-N.pth, with the weights and the state of the optimiser.\n"
    "\n"
    "  --weights FILE       start from the weights in this file, with a new classifier\n"
    "  --resume FILE        continue after this epoch; give the other options as in the first run\n"
    "  --output FOLDER      where to write (default: the current folder); created if it is missing\n"
    "  --validation FOLDER  also print loss and accuracy on these images after each epoch\n"
    "  --epochs N           passes through all images (default 10)\n"
    "  --batch N            images per step (default 32)\n"
    "  --size N             height and width that images are cropped to (default 224)\n"
    "  --frozen-stages N    -1: train everything; 0: freeze the stem; 1 to 4: also layer1 to layerN (default 3)\n"
    "  --norm-eval          BatchNorms keep their running statistics\n"
    "  --learning-rate X    of the first step; it falls to 0 along a cosine (default 0.01)\n"
    "  --head-factor X      the classifier's learning rate is X times as high (default 10)\n"
    "  --momentum X         of SGD (default 0.9)\n"
    "  --weight-decay X     of the weights of convolutions and classifier (default 1e-4); norms and biases have none\n"
    "  --flip               mirror half of the images, chosen at random in each epoch\n"
    "  --seed N             for the order of the images and for --flip (default 0)\n"
    "  --threads N          threads to compute with (default: those this process may use)\n"
    "  --help               print this text\n";

struct arguments {
    const char *folder;
    const char *weights;
    const char *resume;
    const char *output;
    const char *validation;
    int32_t epochs;
    int32_t batch;
    int32_t size;
    int32_t frozen_stages;
    int32_t norm_eval;
    int32_t flip;
    int32_t seed;
    int32_t threads;
    double learning_rate;
    double head_factor;
    double momentum;
    double weight_decay;
};

/* ---- The command line ------------------------------------------------------------------------------------------- */

enum kind { TEXT, FLAG, WHOLE, REAL };

/* The options, where their values go, and which numbers are allowed. The library checks the rest. */
static const struct option {
    const char *name;
    enum kind kind;
    size_t offset;
    double minimum;
    double maximum;
} options[] = {
    {"--weights", TEXT, offsetof(struct arguments, weights), 0, 0},
    {"--resume", TEXT, offsetof(struct arguments, resume), 0, 0},
    {"--output", TEXT, offsetof(struct arguments, output), 0, 0},
    {"--validation", TEXT, offsetof(struct arguments, validation), 0, 0},
    {"--norm-eval", FLAG, offsetof(struct arguments, norm_eval), 0, 0},
    {"--flip", FLAG, offsetof(struct arguments, flip), 0, 0},
    {"--epochs", WHOLE, offsetof(struct arguments, epochs), 1, 1e5},
    {"--batch", WHOLE, offsetof(struct arguments, batch), 1, 4096},
    {"--size", WHOLE, offsetof(struct arguments, size), 1, 4096},
    {"--frozen-stages", WHOLE, offsetof(struct arguments, frozen_stages), -1, 4},
    {"--seed", WHOLE, offsetof(struct arguments, seed), 0, INT32_MAX},
    {"--threads", WHOLE, offsetof(struct arguments, threads), 0, 1024},
    {"--learning-rate", REAL, offsetof(struct arguments, learning_rate), 0, 1e6},
    {"--head-factor", REAL, offsetof(struct arguments, head_factor), 0, 1e6},
    {"--momentum", REAL, offsetof(struct arguments, momentum), 0, 1},
    {"--weight-decay", REAL, offsetof(struct arguments, weight_decay), 0, 1e6},
};

static const struct option *find_option(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].name, name) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

static int set_option(const struct option *option, const char *text, struct arguments *arguments) {
    void *place = (char *)arguments + option->offset;
    if (option->kind == TEXT) {
        *(const char **)place = text;
        return 1;
    }
    char *end;
    errno = 0;
    double value = option->kind == WHOLE ? (double)strtol(text, &end, 10) : strtod(text, &end);
    if (end == text || *end != '\0' || errno != 0 || !(value >= option->minimum && value <= option->maximum)) {
        fprintf(stderr, "finetune: %s needs a %snumber from %g to %g, not '%s'\n", option->name,
                option->kind == WHOLE ? "whole " : "", option->minimum, option->maximum, text);
        return 0;
    }
    if (option->kind == WHOLE) {
        *(int32_t *)place = (int32_t)value;
    } else {
        *(double *)place = value;
    }
    return 1;
}

static int check_arguments(const struct arguments *arguments) {
    const char *wrong = NULL;
    if (arguments->folder == NULL) {
        wrong = "no folder of images given";
    } else if (arguments->weights == NULL && arguments->resume == NULL) {
        wrong = "give --weights or --resume";
    } else if (arguments->weights != NULL && arguments->resume != NULL) {
        wrong = "give --weights or --resume, not both";
    }
    if (wrong != NULL) {
        fprintf(stderr, "finetune: %s\n\n%s", wrong, usage);
    }
    return wrong == NULL;
}

/* 1: go on; 0: the program printed its help; -1: it printed an error. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments) {
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        const struct option *option = find_option(argument);
        if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (option == NULL && argument[0] == '-') {
            fprintf(stderr, "finetune: unknown option '%s'\n\n%s", argument, usage);
            return -1;
        }
        if (option == NULL && arguments->folder != NULL) {
            fprintf(stderr, "finetune: more than one folder: '%s' and '%s'\n", arguments->folder, argument);
            return -1;
        }
        if (option == NULL) {
            arguments->folder = argument;
        } else if (option->kind == FLAG) {
            *(int32_t *)((char *)arguments + option->offset) = 1;
        } else if (i + 1 == argc) {
            fprintf(stderr, "finetune: %s needs a value\n", argument);
            return -1;
        } else if (!set_option(option, argv[++i], arguments)) {
            return -1;
        }
    }
    return check_arguments(arguments) ? 1 : -1;
}

/* ---- Random numbers --------------------------------------------------------------------------------------------- */

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Seed and epoch alone decide the order, so that a resumed run has the same one. */
static uint64_t state_of_epoch(int32_t seed, int32_t epoch) {
    uint64_t state = ((uint64_t)seed << 32) + (uint64_t)epoch;
    return next_random(&state);
}

static void shuffle(size_t *order, size_t count, uint64_t *state) {
    for (size_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)(next_random(state) % i);
        size_t held = order[other];
        order[other] = order[i - 1];
        order[i - 1] = held;
    }
}

/* ---- Batches ---------------------------------------------------------------------------------------------------- */

/* What the program owns. */
struct training {
    struct arguments arguments;
    struct folders images;
    struct folders validation;
    backbone *net;
    backbone_tape *tape;
    backbone_optimizer *optimizer;
    float *gradients; /* of all trainable parameters */
    size_t gradient_count;
    uint8_t *pixels; /* of a batch: rows of RGB */
    float *logits;   /* of a batch, then their gradients */
    int64_t *labels; /* of a batch */
    size_t *order;   /* of the images of an epoch */
};

/* Sums over the images of an epoch. */
struct score {
    double loss;
    size_t correct;
    size_t count;
};

static int report(const char *what) {
    fprintf(stderr, "finetune: %s: %s\n", what, backbone_last_error_message());
    return 0;
}

static int no_memory(void) {
    fprintf(stderr, "finetune: no memory for the batches; try a smaller --batch or --size\n");
    return 0;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static backbone_tensor input_of(const struct training *training, size_t count) {
    int64_t n = (int64_t)count, size = training->arguments.size;
    return (backbone_tensor){
        training->pixels, BACKBONE_DTYPE_UINT8, 0, {n, 3, size, size}, {size * size * 3, 1, size * 3, 3}};
}

static backbone_tensor logits_of(const struct training *training, size_t count) {
    int64_t n = (int64_t)count, classes = (int64_t)training->images.class_count;
    return (backbone_tensor){training->logits, BACKBONE_DTYPE_FLOAT32, 0, {n, classes, 1, 1}, {classes, 1, 1, 1}};
}

/* Decodes one image to its position in the batch. */
static int load_example(struct training *training, const struct example *example, size_t position, int mirrored) {
    struct image image = {NULL, 0, 0};
    size_t size = (size_t)training->arguments.size;
    if (!read_image("finetune", example->path, &image)) {
        return 0;
    }
    int done = crop_image(&image, (int64_t)size, mirrored, training->pixels + position * size * size * 3);
    free(image.pixels);
    training->labels[position] = example->label;
    return done ? 1 : no_memory();
}

static int is_correct(const float *logits, size_t classes, int64_t label) {
    for (size_t i = 0; i < classes; i++) {
        if (!(logits[i] <= logits[label])) {
            return 0;
        }
    }
    return 1;
}

/* Adds a batch to the score, and replaces the logits by their gradients. */
static int take_loss(struct training *training, size_t count, struct score *score) {
    size_t classes = training->images.class_count;
    for (size_t i = 0; i < count; i++) {
        score->correct += (size_t)is_correct(training->logits + i * classes, classes, training->labels[i]);
    }
    double loss;
    backbone_tensor logits = logits_of(training, count);
    if (backbone_cross_entropy(&logits, training->labels, count, 0, &loss, &logits) != BACKBONE_STATUS_OK) {
        return report("loss");
    }
    score->loss += loss * (double)count;
    score->count += count;
    return 1;
}

static void print_score(const char *name, const struct score *score) {
    printf("  %sloss %.6f  accuracy %6.2f %%", name, score->loss / (double)score->count,
           100 * (double)score->correct / (double)score->count);
}

/* ---- Training --------------------------------------------------------------------------------------------------- */

static size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

/* Of an epoch. A last batch of one image is left out: BatchNorm may need more than one value per channel. */
static size_t step_count(const struct training *training) {
    size_t batch = (size_t)training->arguments.batch, rest = training->images.count % batch;
    return training->images.count / batch + (rest > 1);
}

/* Half a cosine from the first step of all epochs to the end of the last one. */
static double learning_rate(const struct training *training, int32_t epoch, size_t step) {
    double steps = (double)step_count(training);
    double done = ((double)(epoch - 1) * steps + (double)step) / (steps * training->arguments.epochs);
    return training->arguments.learning_rate * (1 + cos(M_PI * done)) / 2;
}

static int train_step(struct training *training, size_t count, double rate, struct score *score) {
    backbone_tensor input = input_of(training, count), logits = logits_of(training, count);
    if (backbone_forward_train(training->net, training->tape, &input, &logits, 1) != BACKBONE_STATUS_OK) {
        return report("forward");
    }
    if (!take_loss(training, count, score)) {
        return 0;
    }
    if (backbone_backward(training->net, training->tape, &logits, 1, NULL, training->gradients,
                          training->gradient_count, 0) != BACKBONE_STATUS_OK) {
        return report("backward");
    }
    if (backbone_optimizer_step(training->net, training->optimizer, training->gradients, training->gradient_count,
                                rate, 0) != BACKBONE_STATUS_OK) {
        return report("step");
    }
    return 1;
}

static int train_epoch(struct training *training, int32_t epoch, struct score *score) {
    uint64_t state = state_of_epoch(training->arguments.seed, epoch);
    size_t batch = (size_t)training->arguments.batch;
    shuffle(training->order, training->images.count, &state);
    if (backbone_set_training(training->net, 1) != BACKBONE_STATUS_OK) {
        return report("training mode");
    }
    for (size_t step = 0; step < step_count(training); step++) {
        size_t first = step * batch, count = smaller(batch, training->images.count - first);
        for (size_t i = 0; i < count; i++) {
            const struct example *example = &training->images.examples[training->order[first + i]];
            int mirrored = training->arguments.flip && next_random(&state) >> 63;
            if (!load_example(training, example, i, mirrored)) {
                return 0;
            }
        }
        if (!train_step(training, count, learning_rate(training, epoch, step), score)) {
            return 0;
        }
    }
    return 1;
}

static int validate(struct training *training, struct score *score) {
    size_t batch = (size_t)training->arguments.batch;
    if (backbone_set_training(training->net, 0) != BACKBONE_STATUS_OK) {
        return report("evaluation mode");
    }
    for (size_t first = 0; first < training->validation.count; first += batch) {
        size_t count = smaller(batch, training->validation.count - first);
        for (size_t i = 0; i < count; i++) {
            if (!load_example(training, &training->validation.examples[first + i], i, 0)) {
                return 0;
            }
        }
        backbone_tensor input = input_of(training, count), logits = logits_of(training, count);
        if (backbone_forward(training->net, &input, &logits, 1) != BACKBONE_STATUS_OK) {
            return report("forward");
        }
        if (!take_loss(training, count, score)) {
            return 0;
        }
    }
    return 1;
}

static int save(const struct training *training, int32_t epoch) {
    char name[32];
    snprintf(name, sizeof name, "epoch-%d.pth", (int)epoch);
    char *path = join_path(training->arguments.output, name);
    if (path == NULL) {
        return no_memory();
    }
    double rate = learning_rate(training, epoch, step_count(training) - 1);
    backbone_status status = backbone_save_training(training->net, training->optimizer, path, rate);
    free(path);
    return status == BACKBONE_STATUS_OK ? 1 : report("save");
}

static int run_epoch(struct training *training, int32_t epoch) {
    struct score score = {0, 0, 0}, validation = {0, 0, 0};
    double start = seconds();
    if (!train_epoch(training, epoch, &score)) {
        return 0;
    }
    double taken = seconds() - start;
    if (training->arguments.validation != NULL && !validate(training, &validation)) {
        return 0;
    }
    printf("epoch %3d", (int)epoch);
    print_score("", &score);
    if (validation.count > 0) {
        print_score("validation ", &validation);
    }
    printf("  %8.1f images/s\n", (double)score.count / taken);
    if (fflush(stdout) != 0) {
        perror("finetune");
        return 0;
    }
    return save(training, epoch);
}

/* ---- Setting up ------------------------------------------------------------------------------------------------- */

/* The epoch that a file to resume from was written after, which its name says; 0 for none. */
static int32_t resumed_epoch(const char *path) {
    if (path == NULL) {
        return 0;
    }
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    int epoch = 0, end = 0;
    if (sscanf(name, "epoch-%7d.pth%n", &epoch, &end) != 1 || epoch < 1 || end == 0 || name[end] != '\0') {
        fprintf(stderr, "finetune: --resume needs a file epoch-N.pth that finetune wrote, not '%s'\n", path);
        return -1;
    }
    return epoch;
}

static int read_images(struct training *training) {
    const struct arguments *arguments = &training->arguments;
    struct folders *validation = &training->validation;
    if (!read_folders("finetune", arguments->folder, &training->images)) {
        return 0;
    }
    if (arguments->validation == NULL) {
        return 1;
    }
    if (!read_folders("finetune", arguments->validation, validation)) {
        return 0;
    }
    int same = validation->class_count == training->images.class_count;
    for (size_t i = 0; same && i < validation->class_count; i++) {
        same = strcmp(validation->classes[i], training->images.classes[i]) == 0;
    }
    if (!same) {
        fprintf(stderr, "finetune: %s: its classes differ from those of %s; expected folders of the same names\n",
                arguments->validation, arguments->folder);
    }
    return same;
}

/* The network of the file: with a new classifier, or with that of an earlier epoch. */
static int create_network(struct training *training) {
    static const float mean[3] = BACKBONE_IMAGENET_MEAN;
    static const float std_dev[3] = BACKBONE_IMAGENET_STD_DEV;
    const struct arguments *arguments = &training->arguments;
    backbone_options options;
    if (backbone_options_init(&options, sizeof options) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    options.out_stages = BACKBONE_STAGE_LOGITS;
    options.num_classes = (int32_t)training->images.class_count;
    options.frozen_stages = arguments->frozen_stages;
    options.norm_eval = arguments->norm_eval;
    options.threads = arguments->threads;
    options.mean = mean;
    options.std_dev = std_dev;
    backbone_load_options load = {.struct_size = sizeof load};
    load.head = arguments->resume == NULL ? BACKBONE_HEAD_NEW : BACKBONE_HEAD_EXACT;
    const char *path = arguments->resume == NULL ? arguments->weights : arguments->resume;
    if (backbone_create_from_file(path, &options, &load, &training->net, NULL) != BACKBONE_STATUS_OK) {
        return report("weights");
    }
    return 1;
}

static int create_optimizer(struct training *training) {
    const struct arguments *arguments = &training->arguments;
    double factor = arguments->head_factor, decay = arguments->weight_decay;
    const backbone_parameter_group groups[] = {
        {"fc.", BACKBONE_PARAMETERS_WEIGHTS, 0, factor, decay},
        {"fc.", BACKBONE_PARAMETERS_BIASES, 0, factor, 0},
        {NULL, BACKBONE_PARAMETERS_NORMS | BACKBONE_PARAMETERS_BIASES, 0, 1, 0},
    };
    backbone_optimizer_options options;
    if (backbone_optimizer_options_init(&options, sizeof options, BACKBONE_OPTIMIZER_SGD) != BACKBONE_STATUS_OK) {
        return report("options");
    }
    options.momentum = arguments->momentum;
    options.weight_decay = decay;
    options.groups = groups;
    options.group_count = sizeof groups / sizeof *groups;
    if (backbone_optimizer_create(training->net, &options, &training->optimizer) != BACKBONE_STATUS_OK) {
        return report("optimizer");
    }
    if (arguments->resume != NULL &&
        backbone_load_training(training->net, training->optimizer, arguments->resume, NULL) != BACKBONE_STATUS_OK) {
        return report("resume");
    }
    return 1;
}

/* What the steps need: a tape, gradients and a batch. */
static int allocate(struct training *training) {
    size_t batch = (size_t)training->arguments.batch, size = (size_t)training->arguments.size;
    if (backbone_tape_create(training->net, NULL, &training->tape) != BACKBONE_STATUS_OK ||
        backbone_trainable_count(training->net, &training->gradient_count) != BACKBONE_STATUS_OK) {
        return report("tape");
    }
    training->gradients = malloc(training->gradient_count * sizeof *training->gradients);
    training->pixels = malloc(batch * size * size * 3);
    training->logits = malloc(batch * training->images.class_count * sizeof *training->logits);
    training->labels = malloc(batch * sizeof *training->labels);
    training->order = malloc(training->images.count * sizeof *training->order);
    int done = training->gradients != NULL && training->pixels != NULL && training->logits != NULL &&
               training->labels != NULL && training->order != NULL;
    return done ? 1 : no_memory();
}

static int make_output(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "finetune: %s: %s\n", path, strerror(errno));
        return 0;
    }
    return 1;
}

static void print_images(const struct training *training) {
    printf("%zu images, %zu classes:", training->images.count, training->images.class_count);
    for (size_t i = 0; i < training->images.class_count; i++) {
        printf(" %s", training->images.classes[i]);
    }
    printf("\n");
}

static int run(struct training *training) {
    int32_t done = resumed_epoch(training->arguments.resume);
    if (done < 0 || !read_images(training) || !create_network(training) || !create_optimizer(training) ||
        !allocate(training) || !make_output(training->arguments.output)) {
        return 0;
    }
    if (done >= training->arguments.epochs) {
        fprintf(stderr, "finetune: %s has all %d epochs; to train on, give more --epochs\n", training->arguments.resume,
                (int)training->arguments.epochs);
        return 0;
    }
    print_images(training);
    for (int32_t epoch = done + 1; epoch <= training->arguments.epochs; epoch++) {
        if (!run_epoch(training, epoch)) {
            return 0;
        }
    }
    return 1;
}

static void free_training(struct training *training) {
    free(training->order);
    free(training->labels);
    free(training->logits);
    free(training->pixels);
    free(training->gradients);
    backbone_tape_free(training->tape);
    backbone_optimizer_free(training->optimizer);
    backbone_free(training->net);
    free_folders(&training->validation);
    free_folders(&training->images);
}

int main(int argc, char **argv) {
    struct training training;
    memset(&training, 0, sizeof training);
    training.arguments = (struct arguments){.output = ".",
                                            .epochs = 10,
                                            .batch = 32,
                                            .size = 224,
                                            .frozen_stages = 3,
                                            .learning_rate = 0.01,
                                            .head_factor = 10,
                                            .momentum = 0.9,
                                            .weight_decay = 1e-4};
    int go = parse_arguments(argc, argv, &training.arguments);
    if (go <= 0) {
        return go == 0 ? EXIT_SUCCESS : 2;
    }
    int done = run(&training);
    free_training(&training);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
