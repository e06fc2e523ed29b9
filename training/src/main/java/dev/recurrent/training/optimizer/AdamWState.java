package dev.recurrent.training.optimizer;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import dev.recurrent.blocks.cuda.CudaDevice;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.Scalars;
import dev.recurrent.blocks.torch.TensorScope;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The moments of all parameters that an {@link AdamW} trains, one vector a group, and how many
 * updates there were.
 */
public final class AdamWState {

    private final AdamW optimizer;
    private final List<Member> members = new ArrayList<>();
    private final Map<ParameterGroup, AdamMoments> moments = new LinkedHashMap<>();
    private int updates;

    /** A parameter and where its elements lie in its group's vectors. */
    private record Member(String name, Parameter parameter, ParameterGroup group, long start) {
        long size() {
            return parameter.getShape().size();
        }
    }

    AdamWState(AdamW optimizer, NDManager manager, Map<String, Parameter> parameters) {
        this.optimizer = optimizer;
        Map<ParameterGroup, Long> sizes = new LinkedHashMap<>();
        parameters.forEach(
                (name, parameter) -> {
                    ParameterGroup group = optimizer.group(name);
                    if (group == null) {
                        throw new IllegalArgumentException(
                                "This AdamW was built for another block; it does not know " + name);
                    }
                    long start = sizes.getOrDefault(group, 0L);
                    Member member = new Member(name, parameter, group, start);
                    members.add(member);
                    sizes.put(group, start + member.size());
                });
        sizes.forEach(
                (group, size) -> moments.put(group, AdamMoments.zeros(manager, new Shape(size))));
    }

    /**
     * Updates every parameter.
     *
     * @param gradients the parameters' gradients
     * @param scale what they are multiplied by, to clip them or to take a mean
     */
    public void update(Gradients gradients, double scale) {
        updates++;
        double rate = optimizer.learningRate(updates);
        moments.forEach((group, state) -> update(group, state, gradients, scale, rate));
    }

    private void update(
            ParameterGroup group,
            AdamMoments state,
            Gradients gradients,
            double scale,
            double rate) {
        List<Member> inGroup = members.stream().filter(m -> m.group().equals(group)).toList();
        boolean fused =
                inGroup.stream().allMatch(m -> kernels(m, gradients.of(m.name())).isPresent());
        if (fused) {
            inGroup.forEach(member -> updateFused(member, state, gradients, scale, rate));
        } else {
            updateJoined(inGroup, group, state, gradients, scale, rate);
        }
    }

    private static Optional<CudaDevice> kernels(Member member, NDArray gradient) {
        return AdamW.kernels(member.parameter().getArray(), gradient);
    }

    private void updateFused(
            Member member, AdamMoments state, Gradients gradients, double scale, double rate) {
        NDArray weight = member.parameter().getArray();
        NDArray gradient = gradients.of(member.name());
        CudaDevice device = kernels(member, gradient).orElseThrow();
        try (NDArray mean = part(state.mean(), member);
                NDArray square = part(state.square(), member)) {
            AdamMoments part = new AdamMoments(mean, square);
            ParameterGroup group = member.group();
            optimizer.apply(device, weight, gradient, scale, part, group, updates, rate);
        }
    }

    private void updateJoined(
            List<Member> inGroup,
            ParameterGroup group,
            AdamMoments state,
            Gradients gradients,
            double scale,
            double rate) {
        try (TensorScope scope = new TensorScope();
                NDArray factor = Scalars.once(scale)) {
            NDArray joined = gradients.join(inGroup.stream().map(Member::name).toList()); // [n]
            joined.muli(factor);
            NDArray step = scope.adopt(state.take(joined, optimizer.hyper(), updates)); // [n]
            for (Member member : inGroup) {
                NDArray weight = member.parameter().getArray();
                NDArray part = part(step, member);
                optimizer.apply(weight, part.reshape(weight.getShape()), group, rate);
            }
        }
    }

    private static NDArray part(NDArray vector, Member member) {
        return Aten.narrow(vector, 0, member.start(), member.size());
    }

    /** Returns how many updates there were. */
    public int updates() {
        return updates;
    }

    /**
     * Views all moments.
     *
     * @param manager the manager that will own the views
     * @return {@code NAME.exp_avg} and {@code NAME.exp_avg_sq} of every parameter, of its shape, in
     *     the state's memory
     */
    public Map<String, NDArray> tensors(NDManager manager) {
        Map<String, NDArray> tensors = new LinkedHashMap<>();
        for (Member member : members) {
            AdamMoments state = moments.get(member.group());
            tensors.put(member.name() + ".exp_avg", view(manager, state.mean(), member));
            tensors.put(member.name() + ".exp_avg_sq", view(manager, state.square(), member));
        }
        return tensors;
    }

    private static NDArray view(NDManager manager, NDArray vector, Member member) {
        NDArray part = Aten.narrow(manager, vector, 0, member.start(), member.size());
        return part.reshape(member.parameter().getShape());
    }

    /** Goes on counting after {@code count} updates, whose moments {@link #tensors} holds. */
    public void resume(int count) {
        updates = count;
    }
}
