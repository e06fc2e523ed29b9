package dev.recurrent.training.run;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What can be set about a run. A setting's {@link #key} is its name in a run's {@code
 * run.properties} and, behind {@code --}, on the command line.
 */
public enum RunSetting {
    MODEL(Kind.TEXT, null, "An entry of the zoo, with a size (hawk:100m) or without, or a folder."),
    PRESET(Kind.TEXT, "", "The size of the entry, such as 100m."),
    FROM_SCRATCH(Kind.FLAG, "false", "Draw new weights instead of those there are."),
    INITIALIZATION(Kind.TEXT, "upstream", "Of new weights: upstream, or gpt2 as nanoGPT has it."),
    DATA(
            Kind.TEXT,
            null,
            "A text, JSONL, a folder, wikitext-2 or penn-treebank (downloaded), or mqar:T:n,"
                    + " selective-copying:T, induction-heads:T."),
    FIELD(Kind.TEXT, "text", "The field of JSONL objects that holds the text."),
    DOCUMENTS(Kind.FLAG, "false", "Keep documents apart: state is cut where one begins."),
    TRAIN_FRACTION(Kind.PART, "0.9", "The first part of the data, for training."),
    STEPS(Kind.COUNT, "1000", "Updates of the parameters in all."),
    BATCH(Kind.COUNT, "8", "Windows a batch (B)."),
    LENGTH(Kind.COUNT, "256", "Tokens a window (T)."),
    ACCUMULATION(Kind.COUNT, "1", "Batches an update."),
    LEARNING_RATE(Kind.POSITIVE, "1e-3", "The greatest learning rate."),
    WARM_UP(Kind.WHOLE, "100", "Updates in which the learning rate rises; at most half of all."),
    CURVE(Kind.TEXT, "cosine", "What the learning rate then does: cosine, linear, constant."),
    LAST_RATE(Kind.PART, "0.1", "The last learning rate, as a part of the greatest."),
    DECAY(Kind.NUMBER, "0.1", "Weight decay."),
    BETA1(Kind.PART, "0.9", "Adam's beta 1."),
    BETA2(Kind.PART, "0.95", "Adam's beta 2."),
    CLIP(Kind.POSITIVE, "1", "The greatest norm of the gradients."),
    DROPOUT(Kind.PART, "0", "The share of the residual stream's updates that is dropped."),
    ATTENTION_DROPOUT(Kind.PART, "0", "The share of attention weights that is dropped."),
    PRECISION(
            Kind.TEXT,
            "auto",
            "Of products and activations: full, bfloat16, float16; auto is bfloat16 on GPUs."),
    RECOMPUTE(Kind.FLAG, "false", "Run layers again in the backward pass, to save memory."),
    FREEZE(Kind.TEXT, "", "Patterns of parameters to leave as they are, such as embedding.*."),
    RATES(Kind.TEXT, "", "Multiples of the learning rate, such as **.norm.weight=0.5."),
    LORA(Kind.WHOLE, "0", "Rank of LoRA adapters, which are trained instead of the model."),
    LORA_ALPHA(Kind.POSITIVE, "16", "Adapters' outputs are multiplied by this over their rank."),
    LORA_TARGETS(Kind.TEXT, "layers.**", "Patterns of projections that get an adapter."),
    SEED(Kind.WHOLE, "0", "Determines new weights, the order of the data and dropout."),
    EVALUATE_EVERY(Kind.COUNT, "250", "Updates between validations."),
    EVALUATE_BATCHES(Kind.WHOLE, "0", "Batches of a validation; 0 for all there are."),
    SAVE_EVERY(Kind.WHOLE, "0", "Updates between checkpoints; 0 for those between validations."),
    KEEP(Kind.COUNT, "2", "Checkpoints to keep, besides the best.");

    /** What a value must look like. */
    enum Kind {
        /** Anything. */
        TEXT,
        /** true or false. */
        FLAG,
        /** A whole number from 1 on. */
        COUNT,
        /** A whole number from 0 on. */
        WHOLE,
        /** A number from 0 on. */
        NUMBER,
        /** A number greater than 0. */
        POSITIVE,
        /** A number from 0 to 1. */
        PART
    }

    private final Kind kind;
    private final String initial;
    private final String description;

    RunSetting(Kind kind, String initial, String description) {
        this.kind = kind;
        this.initial = initial;
        this.description = description;
    }

    /** Returns the name in files and on the command line, such as {@code learning-rate}. */
    public String key() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** Returns what holds where nothing is said; null where something must be. */
    public String initial() {
        return initial;
    }

    /** Returns a sentence for people. */
    public String description() {
        return description;
    }

    /** Returns whether the setting is on or off, and needs no value on the command line. */
    public boolean isFlag() {
        return kind == Kind.FLAG;
    }

    /** Finds a setting by its key; null if there is none. */
    static RunSetting of(String key) {
        return Arrays.stream(values())
                .filter(setting -> setting.key().equals(key))
                .findFirst()
                .orElse(null);
    }

    static List<String> keys() {
        return Arrays.stream(values()).map(RunSetting::key).toList();
    }

    /**
     * Checks a value.
     *
     * @throws InvalidRunException if it is not of the setting's kind
     */
    void check(String value) {
        String wanted =
                switch (kind) {
                    case TEXT -> null;
                    case FLAG -> value.matches("true|false") ? null : "true or false";
                    case COUNT ->
                            value.matches("[1-9]\\d{0,8}") ? null : "a whole number from 1 on";
                    case WHOLE -> value.matches("\\d{1,9}") ? null : "a whole number from 0 on";
                    case NUMBER -> number(value) >= 0 ? null : "a number from 0 on";
                    case POSITIVE -> number(value) > 0 ? null : "a number greater than 0";
                    case PART ->
                            number(value) >= 0 && number(value) <= 1
                                    ? null
                                    : "a number from 0 to 1";
                };
        if (wanted != null) {
            throw new InvalidRunException(key() + " must be " + wanted + ", not \"" + value + "\"");
        }
    }

    /** NaN, infinite values and what is no number give NaN, which no range contains. */
    private static double number(String value) {
        try {
            double number = Double.parseDouble(value);
            return Double.isInfinite(number) ? Double.NaN : number;
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }
}
