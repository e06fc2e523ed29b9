package dev.recurrent.training.run;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.nn.Initialization;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.training.lora.LoraConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.LearningRate;
import dev.recurrent.training.parameter.ParameterPatterns;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.PretrainedModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The model of a run, with adapters where the settings want some, and its trainer. */
final class RunModel implements AutoCloseable {

    private static final double GPT2_SIGMA = 0.02;

    private final Pretrained pretrained;
    private final PretrainedModel model;
    private LoraAdapters adapters;

    private RunModel(Pretrained pretrained, LoraAdapters adapters) {
        this.pretrained = pretrained;
        this.adapters = adapters;
        model = new PretrainedModel("run", pretrained);
    }

    /**
     * Opens the model that training starts from.
     *
     * @throws InvalidRunException if there is no such model, or a setting does not fit it
     * @throws MalformedModelException if its files are malformed
     * @throws IOException if they cannot be read
     */
    static RunModel open(RunConfig config, Device device)
            throws IOException, MalformedModelException {
        Pretrained pretrained = pretrained(config, device);
        try {
            freeze(config, pretrained.model());
            return new RunModel(pretrained, adapters(config, pretrained.model()));
        } catch (IllegalArgumentException e) {
            pretrained.close();
            throw new InvalidRunException(e.getMessage(), e);
        }
    }

    private static Pretrained pretrained(RunConfig config, Device device)
            throws IOException, MalformedModelException {
        ModelReference reference = reference(config);
        long seed = config.count(RunSetting.SEED);
        boolean fresh = config.flag(RunSetting.FROM_SCRATCH);
        return switch (config.text(RunSetting.INITIALIZATION)) {
            case "upstream" ->
                    fresh ? reference.create(device, seed) : reference.open(device, seed);
            case "gpt2" -> {
                if (!fresh) {
                    throw new InvalidRunException("initialization gpt2 needs from-scratch");
                }
                yield reference.create(
                        device, seed, layers -> Initialization.gpt2(GPT2_SIGMA, layers));
            }
            default ->
                    throw new InvalidRunException("initialization must be one of upstream, gpt2");
        };
    }

    private static ModelReference reference(RunConfig config) {
        String name = config.text(RunSetting.MODEL);
        String preset = config.text(RunSetting.PRESET);
        try {
            return ModelReference.of(preset.isEmpty() ? name : name + ":" + preset);
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException("model: " + e.getMessage(), e);
        }
    }

    /** Freezes what the settings say. */
    static void freeze(RunConfig config, LanguageModel block) {
        if (!config.text(RunSetting.FREEZE).isBlank()) {
            ParameterPatterns.of(config.text(RunSetting.FREEZE)).freeze(block);
        }
    }

    /** Attaches the adapters that the settings want; null for none. */
    private static LoraAdapters adapters(RunConfig config, LanguageModel block) {
        return config.count(RunSetting.LORA) == 0
                ? null
                : LoraAdapters.attach(block, lora(config), config.count(RunSetting.SEED));
    }

    static LoraConfig lora(RunConfig config) {
        return new LoraConfig(
                config.count(RunSetting.LORA),
                config.number(RunSetting.LORA_ALPHA),
                List.of(config.text(RunSetting.LORA_TARGETS)));
    }

    /** Says what a run will take. Nothing is allocated. */
    static RunPlan plan(RunConfig config) throws IOException, MalformedModelException {
        LanguageModelConfig model = reference(config).config().model();
        return RunPlan.of(model, config);
    }

    Pretrained pretrained() {
        return pretrained;
    }

    /** Saves what is trained: the model, or its adapters. */
    void save(Path folder) throws IOException {
        if (adapters == null) {
            pretrained.save(folder, ScalarType.FLOAT32);
        } else {
            adapters.save(folder, pretrained.config());
        }
    }

    /** Takes what {@link #save} has written. No trainer may be open where there are adapters. */
    void restore(Path folder) throws IOException, MalformedModelException {
        if (adapters == null) {
            pretrained.reload(folder);
        } else {
            adapters.detach();
            adapters = LoraAdapters.load(pretrained.model(), pretrained.config(), folder);
        }
    }

    /** Writes what came out: the model, and the adapters that are merged into it. */
    void finish(RunFolder folder) throws IOException {
        if (adapters != null) {
            adapters.save(folder.adapter(), pretrained.config());
            adapters.merge();
        }
        pretrained.save(folder.model(), ScalarType.FLOAT32);
    }

    /**
     * Makes the configuration of a trainer, with an optimizer of its own.
     *
     * @throws InvalidRunException if a setting does not fit the model
     */
    LanguageModelTrainingConfig trainingConfig(RunConfig config) {
        try {
            return newTrainingConfig(config);
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException(e.getMessage(), e);
        }
    }

    private LanguageModelTrainingConfig newTrainingConfig(RunConfig config) {
        Device device = pretrained.manager().getDevice();
        RunPrecision precision = config.choice(RunSetting.PRECISION, RunPrecision.class);
        LanguageModelTrainingConfig training =
                new LanguageModelTrainingConfig(new TokenCrossEntropy())
                        .optAccumulation(config.count(RunSetting.ACCUMULATION))
                        .optMaxGradientNorm(config.number(RunSetting.CLIP))
                        .optDropout(config.number(RunSetting.DROPOUT))
                        .optAttentionDropout(config.number(RunSetting.ATTENTION_DROPOUT))
                        .optPrecision(precision.on(device))
                        .optRecomputation(config.flag(RunSetting.RECOMPUTE))
                        .optSeed(config.count(RunSetting.SEED));
        training.optDevices(new Device[] {device});
        training.optOptimizer(optimizer(pretrained.model(), config));
        return training;
    }

    LanguageModelTrainer newTrainer(LanguageModelTrainingConfig training) {
        return new LanguageModelTrainer(model, training);
    }

    private static AdamW optimizer(LanguageModel block, RunConfig config) {
        AdamW.Builder adamW =
                AdamW.builder(block)
                        .optLearningRate(schedule(config))
                        .optDecay(config.number(RunSetting.DECAY))
                        .optBetas(config.number(RunSetting.BETA1), config.number(RunSetting.BETA2));
        for (String rate : config.text(RunSetting.RATES).split(",")) {
            if (!rate.isBlank()) {
                multiply(adamW, rate.strip());
            }
        }
        return adamW.build();
    }

    private static void multiply(AdamW.Builder adamW, String rate) {
        int equals = rate.lastIndexOf('=');
        try {
            adamW.optMultiplier(
                    ParameterPatterns.of(rate.substring(0, Math.max(0, equals))),
                    Float.parseFloat(rate.substring(equals + 1)));
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException(
                    "rates: \"" + rate + "\" is no PATTERN=FACTOR: " + e.getMessage(), e);
        }
    }

    private static LearningRate schedule(RunConfig config) {
        int steps = config.count(RunSetting.STEPS);
        return new LearningRate(
                config.choice(RunSetting.CURVE, LearningRate.Curve.class),
                (float) config.number(RunSetting.LEARNING_RATE),
                Math.min(config.count(RunSetting.WARM_UP), steps / 2),
                steps,
                (float) config.number(RunSetting.LAST_RATE));
    }

    @Override
    public void close() {
        model.close();
    }
}
