#include "mesh_build.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace neurafield {
namespace {

constexpr int kBins = 16;

// Depth after which triangles are only split in half, at most 31 more times; kMeshStack is large
// enough for both.
constexpr int kDeepest = 40;

// Ratio of twice the area to the square of the longest side below which only the sides of a
// triangle count.
constexpr double kFlat = 1e-12;

constexpr double kSphere = 12.566370614359172;  // Solid angle of the whole sphere.

struct Box {
  float low[3], high[3];

  Box() {
    std::fill(low, low + 3, std::numeric_limits<float>::infinity());
    std::fill(high, high + 3, -std::numeric_limits<float>::infinity());
  }
  void add(const Box& other) {
    for (int k = 0; k < 3; ++k) {
      low[k] = std::min(low[k], other.low[k]);
      high[k] = std::max(high[k], other.high[k]);
    }
  }
  float middle(int k) const { return (low[k] + high[k]) / 2; }
  // Half the surface area; 0 if it is empty.
  float area() const {
    if (low[0] > high[0]) return 0.0f;
    const float x = high[0] - low[0], y = high[1] - low[1], z = high[2] - low[2];
    return x * y + y * z + z * x;
  }
};

// Triangles order[first] to order[last - 1].
struct Range {
  std::int64_t first, last;
  int depth;
  Box box;

  std::int64_t size() const { return last - first; }
};

struct Split {
  int axis = -1, bin = 0;
  float cost = std::numeric_limits<float>::infinity();
};

std::int64_t leaves_for(std::int64_t triangles) { return (triangles + kMeshWidth - 1) / kMeshWidth; }

}  // namespace

class MeshTreeBuilder {
 public:
  explicit MeshTreeBuilder(MeshTreeOwner& tree)
      : tree_(tree), boxes_(tree.corners_.size() / 9), order_(boxes_.size()) {
    for (std::size_t t = 0; t < boxes_.size(); ++t) {
      order_[t] = static_cast<std::int32_t>(t);
      for (int i = 0; i < 9; ++i) {
        const auto coordinate = static_cast<float>(tree.corners_[9 * t + static_cast<std::size_t>(i)]);
        boxes_[t].low[i % 3] = std::min(boxes_[t].low[i % 3], coordinate);
        boxes_[t].high[i % 3] = std::max(boxes_[t].high[i % 3], coordinate);
      }
    }
    Range all{0, static_cast<std::int64_t>(order_.size()), 0, Box()};
    all.box = box_of(all.first, all.last);
    make_node(all);
  }

 private:
  const double* corners(std::int64_t at) const {
    return &tree_.corners_[9 * static_cast<std::size_t>(order_[static_cast<std::size_t>(at)])];
  }
  const Box& box(std::int64_t at) const {
    return boxes_[static_cast<std::size_t>(order_[static_cast<std::size_t>(at)])];
  }
  Box box_of(std::int64_t first, std::int64_t last) const {
    Box all;
    for (std::int64_t i = first; i < last; ++i) all.add(box(i));
    return all;
  }

  // The largest part is split until there are as many parts as a node has children.
  std::size_t make_node(const Range& range) {
    const std::size_t node = tree_.nodes_.size();
    tree_.nodes_.emplace_back();
    tree_.moments_.emplace_back();
    Range parts[kMeshWidth] = {range};
    int count = 1;
    while (count < kMeshWidth) {
      int largest = -1;
      for (int i = 0; i < count; ++i)
        if (parts[i].size() > kMeshWidth &&
            (largest < 0 || parts[i].box.area() > parts[largest].box.area()))
          largest = i;
      if (largest < 0) break;
      const Range whole = parts[largest];
      const std::int64_t middle = divide(whole);
      parts[largest] = {whole.first, middle, whole.depth + 1, box_of(whole.first, middle)};
      parts[count++] = {middle, whole.last, whole.depth + 1, box_of(middle, whole.last)};
    }
    for (int i = 0; i < kMeshWidth; ++i) {
      std::int32_t child = kNoChild;
      if (i < count)
        child = parts[i].size() <= kMeshWidth ? make_leaf(parts[i])
                                         : static_cast<std::int32_t>(make_node(parts[i]));
      MeshNode& made = tree_.nodes_[node];  // Only now: building the children may have moved it.
      made.child[i] = child;
      for (int k = 0; k < 3; ++k) {
        made.low[k][i] = i < count ? parts[i].box.low[k] - kBoxMargin : 0.0f;
        made.high[k][i] = i < count ? parts[i].box.high[k] + kBoxMargin : 0.0f;
      }
      if (i < count) add_moments(parts[i], tree_.moments_[node], i);
    }
    return node;
  }

  std::int32_t make_leaf(const Range& range) {
    MeshLeaf leaf{};
    for (int i = 0; i < kMeshWidth; ++i) {
      const bool used = i < range.size();
      leaf.number[i] = used ? order_[static_cast<std::size_t>(range.first + i)] : -1;
      if (!used) continue;
      const double* p = corners(range.first + i);
      for (int j = 0; j < 9; ++j) leaf.corner[j / 3][j % 3][i] = static_cast<float>(p[j]);
      double vector[3];
      const double length = face_vector(p, vector);
      double longest = 0.0, around = 0.0;
      for (int j = 0; j < 3; ++j) {
        double squares = 0.0;
        for (int k = 0; k < 3; ++k) {
          const double side = p[3 * ((j + 1) % 3) + k] - p[3 * j + k];
          squares += side * side;
        }
        longest = std::max(longest, squares);
        around += std::sqrt(squares);
      }
      if (!(length > kFlat * longest)) continue;
      for (int k = 0; k < 3; ++k) leaf.normal[k][i] = static_cast<float>(vector[k] / length);
      const double depth = length / around;  // Radius of the inscribed circle.
      leaf.depth2[i] = static_cast<float>(1.01 * depth * depth);
    }
    tree_.leaves_.push_back(leaf);
    return -static_cast<std::int32_t>(tree_.leaves_.size());
  }

  // Position of the split, by the surface area heuristic, or else in halves; sorts the first part
  // to the front.
  std::int64_t divide(const Range& range) {
    Box middles;
    for (std::int64_t i = range.first; i < range.last; ++i)
      for (int k = 0; k < 3; ++k) {
        middles.low[k] = std::min(middles.low[k], box(i).middle(k));
        middles.high[k] = std::max(middles.high[k], box(i).middle(k));
      }
    Split best;
    if (range.depth < kDeepest)
      for (int axis = 0; axis < 3; ++axis) try_axis(range, middles, axis, best);
    const auto begin = order_.begin() + range.first, end = order_.begin() + range.last;
    if (best.axis >= 0) {
      const auto middle = std::partition(begin, end, [&](std::int32_t t) {
        return bin_of(boxes_[static_cast<std::size_t>(t)], middles, best.axis) < best.bin;
      });
      return middle - order_.begin();
    }
    int longest = 0;
    for (int k = 1; k < 3; ++k)
      if (middles.high[k] - middles.low[k] > middles.high[longest] - middles.low[longest])
        longest = k;
    const auto half = begin + range.size() / 2;
    std::nth_element(begin, half, end, [&](std::int32_t s, std::int32_t t) {
      const float first = boxes_[static_cast<std::size_t>(s)].middle(longest);
      const float second = boxes_[static_cast<std::size_t>(t)].middle(longest);
      return first != second ? first < second : s < t;
    });
    return half - order_.begin();
  }

  static int bin_of(const Box& box, const Box& middles, int axis) {
    const float extent = middles.high[axis] - middles.low[axis];
    const float position = (box.middle(axis) - middles.low[axis]) / extent;
    return std::min(kBins - 1, static_cast<int>(position * kBins));
  }

  void try_axis(const Range& range, const Box& middles, int axis, Split& best) const {
    if (!(middles.high[axis] > middles.low[axis])) return;
    Box bins[kBins];
    std::int64_t counts[kBins] = {};
    for (std::int64_t i = range.first; i < range.last; ++i) {
      const int bin = bin_of(box(i), middles, axis);
      bins[bin].add(box(i));
      ++counts[bin];
    }
    float remaining[kBins];  // Cost of the bins from here on.
    Box right;
    std::int64_t count = 0;
    for (int bin = kBins - 1; bin > 0; --bin) {
      right.add(bins[bin]);
      count += counts[bin];
      remaining[bin] = right.area() * static_cast<float>(leaves_for(count));
    }
    Box left;
    count = 0;
    for (int bin = 1; bin < kBins; ++bin) {
      left.add(bins[bin - 1]);
      count += counts[bin - 1];
      const float cost = left.area() * static_cast<float>(leaves_for(count)) + remaining[bin];
      if (count > 0 && count < range.size() && cost < best.cost) best = {axis, bin, cost};
    }
  }

  // Outward normal with twice the area as its length; returns that length.
  static double face_vector(const double* p, double* vector) {
    for (int k = 0; k < 3; ++k) {
      const int i = (k + 1) % 3, j = (k + 2) % 3;
      vector[k] = (p[3 + i] - p[i]) * (p[6 + j] - p[j]) - (p[3 + j] - p[j]) * (p[6 + i] - p[i]);
    }
    return std::sqrt(vector[0] * vector[0] + vector[1] * vector[1] + vector[2] * vector[2]);
  }

  // Integrals over the triangles of n, n d and n d d with d from the centre, symmetrised, without
  // the traces, which multiply vanishing derivatives of 1/|R|.
  void add_moments(const Range& range, MeshMoments& moments, int child) const {
    double centre[3] = {}, plain[3] = {}, area = 0.0, first[3] = {}, second[3][3] = {},
           third[3][3][3] = {}, vector[3];
    for (std::int64_t i = range.first; i < range.last; ++i) {
      const double* p = corners(i);
      const double own = face_vector(p, vector);
      area += own;
      for (int k = 0; k < 3; ++k) {
        const double middle = (p[k] + p[3 + k] + p[6 + k]) / 3;
        centre[k] += own * middle;
        plain[k] += middle / static_cast<double>(range.size());
      }
    }
    for (int k = 0; k < 3; ++k) centre[k] = area > 0.0 ? centre[k] / area : plain[k];
    double radius2 = 0.0;
    for (std::int64_t i = range.first; i < range.last; ++i) {
      const double* p = corners(i);
      double d[3][3], middle[3];
      for (int j = 0; j < 3; ++j) {
        for (int k = 0; k < 3; ++k) d[j][k] = p[3 * j + k] - centre[k];
        radius2 = std::max(radius2, d[j][0] * d[j][0] + d[j][1] * d[j][1] + d[j][2] * d[j][2]);
      }
      for (int k = 0; k < 3; ++k) middle[k] = (d[0][k] + d[1][k] + d[2][k]) / 3;
      face_vector(p, vector);
      for (int k = 0; k < 3; ++k) {
        const double n = vector[k] / 2;
        first[k] += n;
        for (int l = 0; l < 3; ++l) {
          second[k][l] += n * middle[l];
          for (int m = 0; m < 3; ++m)
            third[k][l][m] += n / 12 * (d[0][l] * d[0][m] + d[1][l] * d[1][m] + d[2][l] * d[2][m] +
                                        9 * middle[l] * middle[m]);
        }
      }
    }
    const auto put = [child](float* row, double value) {
      row[child] = static_cast<float>(value / (kSphere));
    };
    for (int k = 0; k < 3; ++k) {
      moments.centre[k][child] = static_cast<float>(centre[k]);
      put(moments.first[k], first[k]);
    }
    // Not zero, so that a degenerate triangle causes no division by zero nearby.
    moments.radius2[child] = static_cast<float>(std::max(radius2 * 1.0001, 1e-30));
    const double trace = (second[0][0] + second[1][1] + second[2][2]) / 3;
    int at = 0;
    for (int k = 0; k < 3; ++k)
      for (int l = k; l < 3; ++l)
        put(moments.second[at++],
            -3 * (k == l ? second[k][k] - trace : second[k][l] + second[l][k]));
    const auto even = [&third](int k, int l, int m) {
      return (third[k][l][m] + third[l][k][m] + third[m][k][l]) / 3;
    };
    double traces[3];
    for (int k = 0; k < 3; ++k) traces[k] = (even(k, 0, 0) + even(k, 1, 1) + even(k, 2, 2)) / 5;
    at = 0;
    for (int k = 0; k < 3; ++k)
      for (int l = k; l < 3; ++l)
        for (int m = l; m < 3; ++m) {
          const double pure = even(k, l, m) - (k == l ? traces[m] : 0.0) -
                              (l == m ? traces[k] : 0.0) - (k == m ? traces[l] : 0.0);
          const int times = k == l && l == m ? 1 : k == l || l == m ? 3 : 6;
          put(moments.third[at++], 7.5 * times * pure);
        }
  }

  MeshTreeOwner& tree_;
  std::vector<Box> boxes_;
  std::vector<std::int32_t> order_;
};

MeshTreeOwner::MeshTreeOwner(const double* corners, std::int64_t triangles)
    : corners_(corners, corners + 9 * triangles) {
  MeshTreeBuilder builder(*this);
  nodes_.shrink_to_fit();
  moments_.shrink_to_fit();
  leaves_.shrink_to_fit();
}

MeshTree MeshTreeOwner::tree() const {
  return {corners_.data(), nodes_.data(), moments_.data(), leaves_.data()};
}

}  // namespace neurafield
