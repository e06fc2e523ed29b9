package dev.recurrent.training.run;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.training.LanguageModelTrainer;
import dev.recurrent.training.LanguageModelTrainingConfig;
import dev.recurrent.training.metric.TokenCrossEntropy;
import dev.recurrent.training.optimizer.AdamW;
import dev.recurrent.training.optimizer.LearningRate;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.PretrainedModel;
import java.io.IOException;

/** The model of a run and its trainer, as the settings say. */
final class RunModel {

    private RunModel() {}

    static ModelReference reference(RunConfig config) {
        String name = config.text(RunSetting.MODEL);
        String preset = config.text(RunSetting.PRESET);
        try {
            return ModelReference.of(preset.isEmpty() ? name : name + ":" + preset);
        } catch (IllegalArgumentException e) {
            throw new InvalidRunException("model: " + e.getMessage(), e);
        }
    }

    static RunPlan plan(RunConfig config) throws IOException, MalformedModelException {
        LanguageModelConfig model = reference(config).config().model();
        return RunPlan.of(model, new LanguageModel(model).parameterCount(), config);
    }

    /** Opens the model that training starts from. */
    static Pretrained open(RunConfig config, Device device)
            throws IOException, MalformedModelException {
        ModelReference reference = reference(config);
        long seed = config.count(RunSetting.SEED);
        return config.flag(RunSetting.FROM_SCRATCH)
                ? reference.create(device, seed)
                : reference.open(device, seed);
    }

    /** Makes a trainer with an optimizer of its own. */
    static LanguageModelTrainer newTrainer(PretrainedModel model, RunConfig config) {
        LanguageModel block = model.pretrained().model();
        LanguageModelTrainingConfig training =
                new LanguageModelTrainingConfig(new TokenCrossEntropy())
                        .optAccumulation(config.count(RunSetting.ACCUMULATION))
                        .optMaxGradientNorm(config.number(RunSetting.CLIP))
                        .optDropout(config.number(RunSetting.DROPOUT))
                        .optPrecision(config.choice(RunSetting.PRECISION, MatrixPrecision.class))
                        .optRecomputation(config.flag(RunSetting.RECOMPUTE))
                        .optSeed(config.count(RunSetting.SEED));
        training.optDevices(new Device[] {model.pretrained().manager().getDevice()});
        training.optOptimizer(optimizer(block, config));
        return new LanguageModelTrainer(model, training);
    }

    private static AdamW optimizer(LanguageModel block, RunConfig config) {
        return AdamW.builder(block)
                .optLearningRate(schedule(config))
                .optDecay(config.number(RunSetting.DECAY))
                .optBetas(config.number(RunSetting.BETA1), config.number(RunSetting.BETA2))
                .build();
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
}
