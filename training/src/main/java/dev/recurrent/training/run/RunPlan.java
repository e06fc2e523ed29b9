package dev.recurrent.training.run;

import ai.djl.nn.Parameter;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.training.lora.LoraAdapters;
import java.util.Locale;

/**
 * What a run will take, as far as it is known before it starts. All sizes in bytes.
 *
 * @param parameters of the model
 * @param trained those that are trained
 * @param tokensPerStep that an update sees
 * @param weights of the model in fp32
 * @param optimizer gradients and moments of what is trained
 * @param logits of a batch and their gradient
 * @param residual what recomputation keeps of the layers: one [B, T, D] tensor each; without it
 *     layers keep some dozens of that size
 */
public record RunPlan(
        long parameters,
        long trained,
        long tokensPerStep,
        long weights,
        long optimizer,
        long logits,
        long residual) {

    private static final double GIBI = 1L << 30;

    static RunPlan of(LanguageModelConfig model, RunConfig config) {
        long parameters = new LanguageModel(model).parameterCount();
        long trained = trained(model, config);
        long batch = (long) config.count(RunSetting.BATCH) * config.count(RunSetting.LENGTH);
        return new RunPlan(
                parameters,
                trained,
                batch * config.count(RunSetting.ACCUMULATION),
                Float.BYTES * parameters,
                3L * Float.BYTES * trained,
                2 * Float.BYTES * batch * model.vocabulary(),
                Float.BYTES * batch * model.width() * model.layers().size());
    }

    private static long trained(LanguageModelConfig model, RunConfig config) {
        LanguageModel block = new LanguageModel(model);
        if (config.count(RunSetting.LORA) > 0) {
            return LoraAdapters.parameterCount(block, RunModel.lora(config));
        }
        RunModel.freeze(config, block);
        return SizedBlock.parametersOf(block).values().stream()
                .filter(Parameter::requiresGradient)
                .mapToLong(parameter -> parameter.getShape().size())
                .sum();
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "parameters           %,d (%,d trained)%n"
                        + "tokens a step        %,d%n"
                        + "weights              %.2f GiB%n"
                        + "gradients, moments   %.2f GiB%n"
                        + "logits               %.2f GiB%n"
                        + "layers' inputs       %.2f GiB, all that recompute keeps of them",
                parameters,
                trained,
                tokensPerStep,
                weights / GIBI,
                optimizer / GIBI,
                logits / GIBI,
                residual / GIBI);
    }
}
